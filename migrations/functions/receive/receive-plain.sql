-- receive_plain: hands out messages of many subscriptions at once, for subscriptions without a
-- delay and without a bound on what is in flight, where nothing deferred is due, what the waiters
-- ask for fits their bytes, and the log has no gap: then the first and last sequence describe what
-- was read. A subscription that it leaves out has no row in the answer; willcall.receive does it.
-- Locks: receive, by id (take_locks). Indexes: subscription_key; delivery_key backwards, for the
-- head; deferred_queue; message_key.
-- Group g is waiters [_firsts[g], _lasts[g]], served in their order; waiter w gets what is found
-- from position _places[w] on in its group. Returns a row with an outcome per group, and a row per
-- delivery, its messages as by willcall.pack_messages with the first sequence only.
-- For the floor of what is deferred (src/engine/waiting/deferred-floor.ts), a group's row has the
-- snapshot that was read and, where something was handed out, the transaction's number, which was
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
      g.no, g.topic_id, g.subscription_id, g.first, g.last, g.places, g.wanted, s.visibility_timeout_seconds,
      d.delivery_no, d.head, d.generation, greatest(_now, d.at) as at, f.available_at as next_at
    from unnest(_mine) m (no)
    cross join lateral (
      select
        m.no, _topic_ids[m.no] as topic_id, _subscription_ids[m.no] as subscription_id, _firsts[m.no] as first,
        _lasts[m.no] as last, _places[_firsts[m.no]:_lasts[m.no]] as places,
        _places[_lasts[m.no]] + _max_messages[_lasts[m.no]] - 1 as wanted
    ) g
    cross join lateral (
      select s.visibility_timeout_seconds
      from willcall.subscription s
      where s.topic_id = g.topic_id and s.subscription_id = g.subscription_id and s.deleted_at is null
        and s.delay_seconds = 0 and s.max_in_flight is null
      limit 1
    ) s
    cross join lateral (
      select d.delivery_no, d.head, d.generation, d.at
      from willcall.delivery d
      where d.topic_id = g.topic_id and d.subscription_id = g.subscription_id
      order by d.delivery_no desc
      limit 1
    ) d
    left join lateral (
      select f.available_at
      from willcall.deferred f
      where (f.topic_id::bigint << 32 | f.subscription_id) = (g.topic_id::bigint << 32 | g.subscription_id)
        and f.available_at > coalesce(_deferred_floors[g.no], '-infinity')
      order by f.available_at, f.seq
      limit 1
    ) f on true
    where f.available_at is null or f.available_at > _now
  ),
  -- Sizes alone: how much it is decides whether bodies are read at all.
  share as materialized (
    select
      s.no, s.topic_id, s.subscription_id, s.delivery_no + m.nth as delivery_no, s.generation, s.at,
      s.first + m.nth - 1 as waiter, m.first_seq, m.head, m.messages, m.bytes,
      _now + coalesce(_visibility_timeout_seconds[s.first + m.nth - 1], s.visibility_timeout_seconds) * interval '1 second'
        as expires_at,
      int8multirange(int8range(m.first_seq, m.head, '[]')) as handed
    from sub s
    cross join lateral (
      select
        w.nth, min(m.seq) as first_seq, max(m.seq) as head, count(*)::integer as messages, sum(m.body_bytes) as bytes
      from (
        select m.seq, m.body_bytes, (row_number() over ())::integer as place
        from (
          select m.seq, m.body_bytes
          from willcall.message m
          where m.topic_id = s.topic_id and m.seq > s.head
          order by m.seq
          limit s.wanted
        ) m
      ) m
      cross join lateral (select width_bucket(m.place, s.places) as nth offset 0) w
      group by w.nth
    ) m
  ),
  served as materialized (
    select
      s.*,
      bool_and(s.messages = s.head - s.first_seq + 1 and (s.messages = 1 or s.bytes <= _max_bytes[s.waiter]))
        over (partition by s.no)
        and sum(s.bytes) over (partition by s.no) <= _bytes_max as fits,
      count(*) over (partition by s.no) as waiters
    from share s
  ),
  delivered as (
    insert into willcall.delivery (
      topic_id, subscription_id, delivery_no, head, at, nonce, generation, kind, principal, handed
    )
    select
      s.topic_id, s.subscription_id, s.delivery_no, s.head, s.at, _nonces[s.waiter], s.generation, 'deliver',
      _principals[s.waiter], s.handed
    from served s
    where s.fits
  ),
  leased as (
    insert into willcall.lease (
      topic_id, subscription_id, delivery_no, lease_no, attempt, failures, expires_at, outstanding
    )
    select s.topic_id, s.subscription_id, s.delivery_no, 0, 1, 0, s.expires_at, s.handed
    from served s
    where s.fits
  )
  select
    s.no, 'received', _now, case when coalesce(o.waiters, 0) <= s.last - s.first then s.next_at end,
    (select pg_current_snapshot()::text),
    case when o.waiters > 0 then pg_current_xact_id()::text::bigint end,
    null::integer, null::bigint, null::timestamptz, null::integer, null::bigint[], null::timestamptz[], null::bytea,
    null::text[], null::json, null::json, null::integer[], null::bytea
  from sub s
  left join lateral (select o.waiters, o.fits from served o where o.no = s.no limit 1) o on true
  where coalesce(o.fits, true)
  union all
  select
    s.no, null, null, null, null, null,
    s.waiter, s.delivery_no, s.expires_at, s.messages, array[s.first_seq], m.*
  from served s
  cross join lateral (
    select
      willcall.condense(array_agg(m.published_at)),
      string_agg(m.message_id, ''),
      willcall.condense(array_agg(m.content_type)),
      json_object_agg(m.seq, m.attributes) filter (where m.attributes is not null),
      json_object_agg(m.seq, m.ordering_key) filter (where m.ordering_key is not null),
      willcall.condense(array_agg(m.body_bytes)),
      string_agg(m.body, '')
    from (
      select m.seq, m.published_at, m.message_id, m.content_type, m.attributes, m.ordering_key, m.body_bytes, m.body
      from willcall.message m
      where m.topic_id = s.topic_id and m.seq between s.first_seq and s.head
      order by m.seq
    ) m
  ) m
  where s.fits;
end
$$;
