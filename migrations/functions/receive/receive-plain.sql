-- receive_plain: delivers messages of many subscriptions at once, for subscriptions without a
-- delay and without a bound on what is in flight, where nothing deferred is due, what the waiters
-- ask for fits their bytes, and the log has no gap: then the first and last sequence describe what
-- was read. A subscription that it leaves out has no row in the answer; willcall.receive does it.
-- Locks: receive, by id (take_locks). Indexes: subscription_key; delivery_key backwards, for the
-- head; deferred_queue; message_key.
-- Group g is waiters [_firsts[g], _lasts[g]], served in their order; waiter w gets what is found
-- from position _places[w] on in its group. Returns a row with an outcome per group, and a row per
-- delivery, its messages as by willcall.pack_messages with the first sequence only.
-- For the floor of what is deferred (src/engine/waiting/deferred-floor.ts), a group's row has the
-- snapshot that was read and, where messages were delivered, the transaction's number, which was
-- assigned after checked_at was read.
-- It spans topics, so it is for one PostgreSQL: see docs/decisions/0013.

create function willcall.receive_plain(
  _topic_ids integer[],
  _subscription_ids integer[],
  _deferred_floors timestamptz[],
  _firsts integer[],
  _lasts integer[],
  _places integer[],
  _max_messages integer[],
  _max_bytes bigint[],
  _visibility_timeout_seconds integer[],
  _nonces bigint[],
  _principals text[],
  _bytes_max bigint
) returns table (
  grp integer,
  outcome text,
  checked_at timestamptz,
  next_at timestamptz,
  snapshot text,
  transaction_no bigint,
  waiter integer,
  delivery_no bigint,
  expires_at timestamptz,
  messages integer,
  seqs bigint[],
  published_ats timestamptz[],
  message_ids bytea,
  content_types text[],
  attributes json,
  ordering_keys json,
  body_sizes integer[],
  bodies bytea
)
language plpgsql
rows 20
set enable_seqscan = off
set enable_bitmapscan = off
set enable_hashjoin = off
set enable_mergejoin = off
set enable_hashagg = off
set enable_material = off
set plan_cache_mode = force_generic_plan
as $$
#variable_conflict use_column
declare
  _mine integer[];
  _now timestamptz;
begin
  _mine := willcall.take_locks(willcall.lock_receive(), _subscription_ids);
  if cardinality(_mine) < cardinality(_subscription_ids) then
    outcome := 'busy';
    for grp in
      select ids.no from generate_subscripts(_subscription_ids, 1) ids (no) where ids.no <> all (_mine)
    loop
      return next;
    end loop;
  end if;
  _now := clock_timestamp();

  return query
  with sub as materialized (
    select
      ask.no, ask.topic_id, ask.subscription_id, ask.first, ask.last, ask.places, ask.wanted,
      sub.visibility_timeout_seconds, delivery.delivery_no, delivery.head, delivery.generation,
      greatest(_now, delivery.at) as at, due.available_at as next_at
    from unnest(_mine) mine (no)
    cross join lateral (
      select
        mine.no, _topic_ids[mine.no] as topic_id, _subscription_ids[mine.no] as subscription_id,
        _firsts[mine.no] as first, _lasts[mine.no] as last, _places[_firsts[mine.no]:_lasts[mine.no]] as places,
        _places[_lasts[mine.no]] + _max_messages[_lasts[mine.no]] - 1 as wanted
    ) ask
    cross join lateral (
      select sub.visibility_timeout_seconds
      from willcall.subscription sub
      where sub.topic_id = ask.topic_id and sub.subscription_id = ask.subscription_id and sub.deleted_at is null
        and sub.delay_seconds = 0 and sub.max_in_flight is null
      limit 1
    ) sub
    cross join lateral (
      select delivery.delivery_no, delivery.head, delivery.generation, delivery.at
      from willcall.delivery
      where delivery.topic_id = ask.topic_id and delivery.subscription_id = ask.subscription_id
      order by delivery.delivery_no desc
      limit 1
    ) delivery
    left join lateral (
      select due.available_at
      from willcall.deferred due
      where (due.topic_id::bigint << 32 | due.subscription_id) = (ask.topic_id::bigint << 32 | ask.subscription_id)
        and due.available_at > coalesce(_deferred_floors[ask.no], '-infinity')
      order by due.available_at, due.seq
      limit 1
    ) due on true
    where (due.available_at is null or due.available_at > _now) and not willcall.is_ahead(delivery.at, _now)
  ),
  -- Sizes alone: how much it is decides whether bodies are read at all.
  share as materialized (
    select
      sub.no, sub.topic_id, sub.subscription_id, sub.delivery_no + msg.nth as delivery_no, sub.generation, sub.at,
      sub.first + msg.nth - 1 as waiter, msg.first_seq, msg.head, msg.messages, msg.bytes,
      _now + interval '1 second'
        * coalesce(_visibility_timeout_seconds[sub.first + msg.nth - 1], sub.visibility_timeout_seconds)
        as expires_at,
      int8multirange(int8range(msg.first_seq, msg.head, '[]')) as handed
    from sub
    cross join lateral (
      select
        slot.nth, min(msg.seq) as first_seq, max(msg.seq) as head, count(*)::integer as messages,
        sum(msg.body_bytes) as bytes
      from (
        select msg.seq, msg.body_bytes, (row_number() over ())::integer as place
        from (
          select msg.seq, msg.body_bytes
          from willcall.message msg
          where msg.topic_id = sub.topic_id and msg.seq > sub.head
          order by msg.seq
          limit sub.wanted
        ) msg
      ) msg
      cross join lateral (select width_bucket(msg.place, sub.places) as nth offset 0) slot
      group by slot.nth
    ) msg
  ),
  served as materialized (
    select
      share.*,
      bool_and(
          share.messages = share.head - share.first_seq + 1
          and (share.messages = 1 or share.bytes <= _max_bytes[share.waiter])
        ) over (partition by share.no)
        and sum(share.bytes) over (partition by share.no) <= _bytes_max as fits,
      count(*) over (partition by share.no) as waiters
    from share
  ),
  delivered as (
    insert into willcall.delivery (
      topic_id, subscription_id, delivery_no, head, at, nonce, generation, kind, principal, handed
    )
    select
      served.topic_id, served.subscription_id, served.delivery_no, served.head, served.at,
      _nonces[served.waiter], served.generation, 'deliver',
      _principals[served.waiter], served.handed
    from served
    where served.fits
  ),
  leased as (
    insert into willcall.lease (
      topic_id, subscription_id, delivery_no, lease_no, attempt, failures, expires_at, outstanding
    )
    select served.topic_id, served.subscription_id, served.delivery_no, 0, 1, 0, served.expires_at, served.handed
    from served
    where served.fits
  )
  select
    sub.no, 'received', _now, case when coalesce(won.waiters, 0) <= sub.last - sub.first then sub.next_at end,
    (select pg_current_snapshot()::text),
    case when won.waiters > 0 then pg_current_xact_id()::text::bigint end,
    null::integer, null::bigint, null::timestamptz, null::integer, null::bigint[], null::timestamptz[],
    null::bytea,
    null::text[], null::json, null::json, null::integer[], null::bytea
  from sub
  left join lateral (select won.waiters, won.fits from served won where won.no = sub.no limit 1) won on true
  where coalesce(won.fits, true)
  union all
  select
    served.no, null, null, null, null, null,
    served.waiter, served.delivery_no, served.expires_at, served.messages, array[served.first_seq], msg.*
  from served
  cross join lateral (
    select
      willcall.condense(array_agg(msg.published_at)),
      string_agg(msg.message_id, ''),
      willcall.condense(array_agg(msg.content_type)),
      json_object_agg(msg.seq, msg.attributes) filter (where msg.attributes is not null),
      json_object_agg(msg.seq, msg.ordering_key) filter (where msg.ordering_key is not null),
      willcall.condense(array_agg(msg.body_bytes)),
      string_agg(msg.body, '')
    from (
      select msg.seq, msg.published_at, msg.message_id, msg.content_type, msg.attributes, msg.ordering_key,
        msg.body_bytes, msg.body
      from willcall.message msg
      where msg.topic_id = served.topic_id and msg.seq between served.first_seq and served.head
      order by msg.seq
    ) msg
  ) msg
  where served.fits;
end
$$;
