-- What retention has to do, looked for in one statement for thousands. A hint, taken without locks:
-- the steps (retain_subscription, prune_ledger, prune_topic) check again under theirs. Only what a
-- step would change now is returned. The conditions are the steps' own: change both together
-- (docs/decisions/0017).
-- The caller keeps floors: nothing lives below them, so a scan skips what earlier steps removed.
-- Each answer says where it found the first living row, for the next floors.

-- due_retention: of the given subscriptions those for which retain_subscription has something to do
-- (`retains`) or prune_ledger has (`prunes_ledger`), and those whose floors rise. Each lateral is
-- one probe of the table's key, from a floor or a mark on, to the first living row.
create function willcall.due_retention(
  _topic_ids integer[],
  _subscription_ids integer[],
  _delivery_floors bigint[],
  _mark_floors timestamptz[],
  _ledger_floors bigint[]
)
returns table (
  topic_id integer,
  subscription_id integer,
  retains boolean,
  prunes_ledger boolean,
  delivery_floor bigint,
  mark_floor timestamptz,
  ledger_floor bigint
)
language plpgsql
set enable_seqscan = off
set enable_bitmapscan = off
set enable_hashjoin = off
set enable_mergejoin = off
set enable_sort = off
set enable_material = off
set plan_cache_mode = force_generic_plan
as $$
#variable_conflict use_column
declare
  _now timestamptz := clock_timestamp();
  _signed_before timestamptz;
begin
  -- Null, as where no ledger row is old enough: they are kept for ever.
  select _now - policy.retention_seconds * interval '1 second' into _signed_before
  from willcall.ledger_policy policy
  where policy.only_row;

  return query
  select found.topic_id, found.subscription_id, found.retains, found.prunes_ledger, found.delivery_floor,
    found.mark_floor, found.ledger_floor
  from (
    select
      key.topic_id,
      key.subscription_id,
      case
        when sub.deleted_at is not null then waiting.seq is not null
        else
          -- Time rises with seq and with delivery_no: the first one decides.
          coalesce(fresh.published_at < instant.too_old, false)
          or coalesce(tried.published_at < instant.too_old, false)
          or coalesce(
            oldest.at < instant.too_old and oldest.delivery_no < least(mark.lease_floor, tail.delivery_no), false
          )
          or coalesce(
            mark.marked_at <= instant.at - interval '1 minute'
            and willcall.is_mark_due(
              key.topic_id, key.subscription_id, tail.head, tail.delivery_no, mark.marked_at, mark.settled_seq,
              mark.lease_floor, waiting.seq, eldest.marked_at,
              instant.at - sub.retain_acknowledged_seconds * interval '1 second'
            ),
            false
          )
      end as retains,
      coalesce(signed.acknowledged_at < _signed_before and signed.ack_no < signed.last_no, false) as prunes_ledger,
      coalesce(oldest.delivery_no - 1, key.delivery_floor) as delivery_floor,
      coalesce(eldest.marked_at, key.mark_floor) as mark_floor,
      coalesce(signed.ack_no - 1, key.ledger_floor) as ledger_floor,
      -- The caller knows instants to the millisecond.
      oldest.delivery_no - 1 > key.delivery_floor
        or eldest.marked_at >= key.mark_floor + interval '1 millisecond'
        or signed.ack_no - 1 > key.ledger_floor as rises
    from unnest(_topic_ids, _subscription_ids, _delivery_floors, _mark_floors, _ledger_floors)
      key (topic_id, subscription_id, delivery_floor, mark_floor, ledger_floor)
    cross join lateral (
      select sub.deleted_at, topic.retention_seconds, topic.retain_acknowledged_seconds
      from willcall.subscription sub
      cross join lateral (
        select topic.retention_seconds, topic.retain_acknowledged_seconds
        from willcall.topic
        where topic.topic_id = key.topic_id
        limit 1
      ) topic
      where sub.topic_id = key.topic_id and sub.subscription_id = key.subscription_id
      limit 1
    ) sub
    left join lateral (
      select delivery.delivery_no, delivery.head, delivery.at
      from willcall.delivery
      where delivery.topic_id = key.topic_id and delivery.subscription_id = key.subscription_id
      order by delivery.delivery_no desc
      limit 1
    ) tail on true
    cross join lateral (
      select clock.at, _now - sub.retention_seconds * interval '1 second' as too_old
      from (select willcall.log_time(tail.at, _now) as at) clock
    ) instant
    left join lateral (
      select delivery.delivery_no, delivery.at
      from willcall.delivery
      where delivery.topic_id = key.topic_id and delivery.subscription_id = key.subscription_id
        and delivery.delivery_no > key.delivery_floor
      order by delivery.delivery_no
      limit 1
    ) oldest on true
    left join lateral (
      select settled_mark.marked_at, settled_mark.settled_seq, settled_mark.lease_floor
      from willcall.settled_mark
      where settled_mark.topic_id = key.topic_id and settled_mark.subscription_id = key.subscription_id
      order by settled_mark.marked_at desc
      limit 1
    ) mark on true
    left join lateral (
      select settled_mark.marked_at
      from willcall.settled_mark
      where settled_mark.topic_id = key.topic_id and settled_mark.subscription_id = key.subscription_id
        and settled_mark.marked_at >= key.mark_floor
      order by settled_mark.marked_at
      limit 1
    ) eldest on true
    left join lateral (
      select deferred.seq
      from willcall.deferred
      where deferred.topic_id = key.topic_id and deferred.subscription_id = key.subscription_id
        and deferred.seq > coalesce(mark.settled_seq, 0)
      order by deferred.seq
      limit 1
    ) waiting on true
    -- A message that was tried is found by its sequence; those never delivered are above the head.
    left join lateral (
      select msg.published_at
      from willcall.message msg
      where msg.topic_id = key.topic_id and msg.seq >= waiting.seq
      order by msg.seq
      limit 1
    ) tried on true
    left join lateral (
      select msg.published_at
      from willcall.message msg
      where msg.topic_id = key.topic_id and msg.seq > tail.head
      order by msg.seq
      limit 1
    ) fresh on true
    left join lateral (
      select
        ack.ack_no,
        ack.acknowledged_at,
        (
          select newest.ack_no
          from willcall.acknowledgment newest
          where newest.topic_id = key.topic_id and newest.subscription_id = key.subscription_id
          order by newest.ack_no desc
          limit 1
        ) as last_no
      from willcall.acknowledgment ack
      where _signed_before is not null
        and ack.topic_id = key.topic_id and ack.subscription_id = key.subscription_id
        and ack.ack_no > key.ledger_floor
      order by ack.ack_no
      limit 1
    ) signed on true
  ) found
  where found.retains or found.prunes_ledger or found.rises;
end
$$;

-- is_mark_due: whether mark_settled would insert a mark or drop old ones. The oldest lease is read
-- first: where it has moved there is a mark to insert, and the other leases, which may be many,
-- need not be read.
create function willcall.is_mark_due(
  _topic_id integer,
  _subscription_id integer,
  _head bigint,
  _delivery_no bigint,
  _marked_at timestamptz,
  _settled_seq bigint,
  _lease_floor bigint,
  _waiting bigint,
  _eldest_at timestamptz,
  _ripe_at timestamptz
) returns boolean
language plpgsql
as $$
declare
  _oldest_lease bigint;
begin
  select lease.delivery_no into _oldest_lease
  from willcall.lease
  where lease.topic_id = _topic_id and lease.subscription_id = _subscription_id
    and lease.delivery_no >= _lease_floor
  order by lease.delivery_no
  limit 1;
  if coalesce(_oldest_lease, _delivery_no + 1) > _lease_floor then
    return true;
  elsif willcall.droppable_marks(_topic_id, _subscription_id, _eldest_at, _marked_at, _ripe_at) is not null then
    return true;
  elsif _head <= _settled_seq or _waiting <= _settled_seq + 1 then
    return false;
  end if;
  return not exists (
    select
    from willcall.lease
    where lease.topic_id = _topic_id and lease.subscription_id = _subscription_id
      and lease.delivery_no >= _lease_floor
      and lower(lease.outstanding) <= _settled_seq + 1
  );
end
$$;

-- due_pruning: of the given topics those of which prune_topic would drop something, and those whose
-- floors rise. Index: message_key; and those of prunable_seq, where there is more than the last
-- row.
create function willcall.due_pruning(_topic_ids integer[], _floors bigint[])
returns table (topic_id integer, prunes boolean, floor bigint)
language plpgsql
set enable_seqscan = off
set enable_bitmapscan = off
set enable_hashjoin = off
set enable_mergejoin = off
set enable_sort = off
set enable_material = off
set plan_cache_mode = force_generic_plan
as $$
#variable_conflict use_column
begin
  return query
  select found.topic_id, found.prunes, found.floor
  from (
    select
      key.topic_id,
      key.floor as known_floor,
      oldest.seq - 1 as floor,
      case
        when oldest.seq < tail.seq
          then coalesce(oldest.seq <= willcall.prunable_seq(key.topic_id, oldest.seq - 1), false)
        else false
      end as prunes
    from unnest(_topic_ids, _floors) key (topic_id, floor)
    cross join lateral (
      select msg.seq from willcall.message msg where msg.topic_id = key.topic_id and msg.seq > key.floor
      order by msg.seq limit 1
    ) oldest
    cross join lateral (
      select msg.seq from willcall.message msg where msg.topic_id = key.topic_id order by msg.seq desc limit 1
    ) tail
  ) found
  where found.prunes or found.floor > found.known_floor;
end
$$;
