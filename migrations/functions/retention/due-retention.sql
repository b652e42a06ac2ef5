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
  select _now - p.retention_seconds * interval '1 second' into _signed_before
  from willcall.ledger_policy p
  where p.only_row;

  return query
  select d.topic_id, d.subscription_id, d.retains, d.prunes_ledger, d.delivery_floor, d.mark_floor, d.ledger_floor
  from (
    select
      k.topic_id,
      k.subscription_id,
      case
        when s.deleted_at is not null then waiting.seq is not null
        else
          -- Time rises with seq and with delivery_no: the first one tells.
          coalesce(fresh.published_at < t.too_old, false)
          or coalesce(tried.published_at < t.too_old, false)
          or coalesce(oldest.at < t.too_old and oldest.delivery_no < least(mark.lease_floor, tail.delivery_no), false)
          or coalesce(
            mark.marked_at <= t.at - interval '1 minute'
            and willcall.is_mark_due(
              k.topic_id, k.subscription_id, tail.head, tail.delivery_no, mark.marked_at, mark.settled_seq,
              mark.lease_floor, waiting.seq, eldest.marked_at, t.at - s.retain_acknowledged_seconds * interval '1 second'
            ),
            false
          )
      end as retains,
      coalesce(signed.acknowledged_at < _signed_before and signed.ack_no < signed.last_no, false) as prunes_ledger,
      coalesce(oldest.delivery_no - 1, k.delivery_floor) as delivery_floor,
      coalesce(eldest.marked_at, k.mark_floor) as mark_floor,
      coalesce(signed.ack_no - 1, k.ledger_floor) as ledger_floor,
      -- The caller knows instants to the millisecond.
      oldest.delivery_no - 1 > k.delivery_floor
        or eldest.marked_at >= k.mark_floor + interval '1 millisecond'
        or signed.ack_no - 1 > k.ledger_floor as rises
    from unnest(_topic_ids, _subscription_ids, _delivery_floors, _mark_floors, _ledger_floors)
      k (topic_id, subscription_id, delivery_floor, mark_floor, ledger_floor)
    cross join lateral (
      select s.deleted_at, t.retention_seconds, t.retain_acknowledged_seconds
      from willcall.subscription s
      cross join lateral (
        select t.retention_seconds, t.retain_acknowledged_seconds
        from willcall.topic t
        where t.topic_id = k.topic_id
        limit 1
      ) t
      where s.topic_id = k.topic_id and s.subscription_id = k.subscription_id
      limit 1
    ) s
    left join lateral (
      select d.delivery_no, d.head, d.at
      from willcall.delivery d
      where d.topic_id = k.topic_id and d.subscription_id = k.subscription_id
      order by d.delivery_no desc
      limit 1
    ) tail on true
    cross join lateral (
      select c.at, _now - s.retention_seconds * interval '1 second' as too_old
      from (select greatest(_now, tail.at) as at) c
    ) t
    left join lateral (
      select d.delivery_no, d.at
      from willcall.delivery d
      where d.topic_id = k.topic_id and d.subscription_id = k.subscription_id and d.delivery_no > k.delivery_floor
      order by d.delivery_no
      limit 1
    ) oldest on true
    left join lateral (
      select m.marked_at, m.settled_seq, m.lease_floor
      from willcall.settled_mark m
      where m.topic_id = k.topic_id and m.subscription_id = k.subscription_id
      order by m.marked_at desc
      limit 1
    ) mark on true
    left join lateral (
      select m.marked_at
      from willcall.settled_mark m
      where m.topic_id = k.topic_id and m.subscription_id = k.subscription_id and m.marked_at >= k.mark_floor
      order by m.marked_at
      limit 1
    ) eldest on true
    left join lateral (
      select f.seq
      from willcall.deferred f
      where f.topic_id = k.topic_id and f.subscription_id = k.subscription_id and f.seq > coalesce(mark.settled_seq, 0)
      order by f.seq
      limit 1
    ) waiting on true
    -- A message that was tried is found by its sequence; those never handed out are above the head.
    left join lateral (
      select m.published_at
      from willcall.message m
      where m.topic_id = k.topic_id and m.seq >= waiting.seq
      order by m.seq
      limit 1
    ) tried on true
    left join lateral (
      select m.published_at
      from willcall.message m
      where m.topic_id = k.topic_id and m.seq > tail.head
      order by m.seq
      limit 1
    ) fresh on true
    left join lateral (
      select
        a.ack_no,
        a.acknowledged_at,
        (
          select l.ack_no
          from willcall.acknowledgment l
          where l.topic_id = k.topic_id and l.subscription_id = k.subscription_id
          order by l.ack_no desc
          limit 1
        ) as last_no
      from willcall.acknowledgment a
      where _signed_before is not null
        and a.topic_id = k.topic_id and a.subscription_id = k.subscription_id and a.ack_no > k.ledger_floor
      order by a.ack_no
      limit 1
    ) signed on true
  ) d
  where d.retains or d.prunes_ledger or d.rises;
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
  select l.delivery_no into _oldest_lease
  from willcall.lease l
  where l.topic_id = _topic_id and l.subscription_id = _subscription_id and l.delivery_no >= _lease_floor
  order by l.delivery_no
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
    from willcall.lease l
    where l.topic_id = _topic_id and l.subscription_id = _subscription_id and l.delivery_no >= _lease_floor
      and lower(l.outstanding) <= _settled_seq + 1
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
  select d.topic_id, d.prunes, d.floor
  from (
    select
      k.topic_id,
      k.floor as known_floor,
      oldest.seq - 1 as floor,
      case
        when oldest.seq < tail.seq then coalesce(oldest.seq <= willcall.prunable_seq(k.topic_id, oldest.seq - 1), false)
        else false
      end as prunes
    from unnest(_topic_ids, _floors) k (topic_id, floor)
    cross join lateral (
      select m.seq from willcall.message m where m.topic_id = k.topic_id and m.seq > k.floor order by m.seq limit 1
    ) oldest
    cross join lateral (
      select m.seq from willcall.message m where m.topic_id = k.topic_id order by m.seq desc limit 1
    ) tail
  ) d
  where d.prunes or d.floor > d.known_floor;
end
$$;
