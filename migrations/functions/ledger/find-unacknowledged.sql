-- find_unacknowledged: messages of the log that a subscription was to get, published before _by and
-- not acknowledged by then, in order of sequence, above _after_seq. At most _limit rows, out of
-- _rows_max messages: where fewer are found, a last row with `matched` false says how far the
-- search has come, and whether it is finished. `complete_from` is when the oldest message of the
-- log was published: older ones have been settled and pruned. Takes no lock. Indexes: message_key,
-- acknowledgment_once, delivery_key, failure_key.

create function willcall.find_unacknowledged(
  _topic_id integer,
  _subscription_id integer,
  _from timestamptz,
  _by timestamptz,
  _after_seq bigint,
  _limit integer,
  _rows_max integer
) returns table (
  seq bigint,
  matched boolean,
  message_id bytea,
  published_at timestamptz,
  published_by text,
  body_bytes integer,
  body_sha256 bytea,
  acknowledged_at timestamptz,
  dead_letter_no bigint,
  complete_from timestamptz,
  finished boolean
)
language plpgsql
stable
rows 100
set enable_seqscan = off
set enable_bitmapscan = off
set enable_hashjoin = off
set enable_mergejoin = off
set enable_material = off
set plan_cache_mode = force_generic_plan
as $$
#variable_conflict use_column
declare
  _low bigint := willcall.start_of(_topic_id, _subscription_id);
  _high bigint := willcall.last_seq_before(_topic_id, 0, _by);
  _oldest record;
  _bound bigint;
  _found integer;
begin
  select msg.seq, msg.published_at into _oldest
  from willcall.message msg where msg.topic_id = _topic_id order by msg.seq limit 1;
  complete_from := _oldest.published_at;
  if _from is not null then
    _low := greatest(_low, willcall.last_seq_before(_topic_id, 0, _from));
  end if;
  _low := greatest(_low, _after_seq, coalesce(_oldest.seq - 1, 0));
  _bound := least(_high, _low + _rows_max);
  return query
    select
      msg.seq, true, msg.message_id, msg.published_at, msg.published_by, msg.body_bytes, msg.body_sha256,
      ack.acknowledged_at, dead.dead_letter_no, _oldest.published_at, false
    from willcall.message msg
    left join lateral (
      select ack.acknowledged_at from willcall.acknowledgment ack
      where ack.topic_id = _topic_id and ack.subscription_id = _subscription_id and ack.seq = msg.seq
      order by ack.generation
      limit 1
    ) ack on true
    left join lateral (
      select failure.dead_letter_no from willcall.failure
      where failure.topic_id = _topic_id and failure.subscription_id = _subscription_id and failure.seq = msg.seq
        and failure.dead_letter_no is not null
      limit 1
    ) dead on true
    where msg.topic_id = _topic_id and msg.seq > _low and msg.seq <= _bound and msg.published_at < _by
      and (_from is null or msg.published_at >= _from)
      and (ack.acknowledged_at is null or ack.acknowledged_at >= _by)
    order by msg.seq
    limit _limit;
  get diagnostics _found = row_count;
  if _found < _limit then
    seq := greatest(_bound, _low);
    matched := false;
    finished := _bound >= _high;
    return next;
  end if;
end
$$;

-- start_of: the sequence behind which a subscription began to read, as its first delivery says.
-- Once that is pruned, so is what was in the log then.
create function willcall.start_of(_topic_id integer, _subscription_id integer) returns bigint
language sql
stable
as $$
  select coalesce(
    (
      select delivery.head
      from willcall.delivery
      where delivery.topic_id = _topic_id and delivery.subscription_id = _subscription_id
        and delivery.delivery_no = 1
    ),
    0
  )
$$;
