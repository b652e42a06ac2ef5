-- What falls due between a floor and a moment, found through the index on its time alone. The floor
-- keeps a scan from the dead rows at the low end of the index while a transaction holds a snapshot
-- (docs/architecture.md, floors). `order by` names a column that only that index can order, because
-- sorting is switched off.

create function willcall.due_leases(_floor timestamptz, _until timestamptz, _limit integer)
returns table (topic_id integer, subscription_id integer, delivery_no bigint, lease_no integer, due_at timestamptz)
language plpgsql
set enable_seqscan = off
set enable_bitmapscan = off
set enable_sort = off
set plan_cache_mode = force_generic_plan
as $$
#variable_conflict use_column
begin
  return query
  select l.topic_id, l.subscription_id, l.delivery_no, l.lease_no, l.expires_at
  from willcall.lease l
  where l.expires_at > _floor and l.expires_at <= _until
  order by l.expires_at
  limit _limit;
end
$$;

-- due_deferred: of the deferred messages the earliest of each subscription; it wakes who waits
-- there.
create function willcall.due_deferred(_floor timestamptz, _until timestamptz, _limit integer)
returns table (topic_id integer, subscription_id integer, due_at timestamptz)
language plpgsql
set enable_seqscan = off
set enable_bitmapscan = off
set enable_sort = off
set plan_cache_mode = force_generic_plan
as $$
#variable_conflict use_column
begin
  return query
  select f.topic_id, f.subscription_id, min(f.available_at)
  from (
    select f.topic_id, f.subscription_id, f.available_at
    from willcall.deferred f
    where f.available_at > _floor and f.available_at <= _until
    order by f.available_at
    limit _limit
  ) f
  group by f.topic_id, f.subscription_id;
end
$$;

create function willcall.due_scheduled(_floor timestamptz, _until timestamptz, _limit integer)
returns table (topic_id integer, scheduled_no bigint, due_at timestamptz)
language plpgsql
set enable_seqscan = off
set enable_bitmapscan = off
set enable_sort = off
set plan_cache_mode = force_generic_plan
as $$
#variable_conflict use_column
begin
  return query
  select s.topic_id, s.scheduled_no, s.deliver_at
  from willcall.scheduled s
  where s.deliver_at > _floor and s.deliver_at <= _until
  order by s.deliver_at
  limit _limit;
end
$$;

-- falling_due: all three in one round trip; the clock comes first, so that the caller can move its
-- floor to it.
create function willcall.falling_due(
  _floor timestamptz,
  _deferred_floor timestamptz,
  _ahead interval,
  _limit integer
)
returns table (
  checked_at timestamptz,
  kind text,
  topic_id integer,
  subscription_id integer,
  delivery_no bigint,
  lease_no integer,
  scheduled_no bigint,
  due_at timestamptz
)
language plpgsql
as $$
#variable_conflict use_column
declare
  _at timestamptz := clock_timestamp();
begin
  return query select _at, 'clock', null::integer, null::integer, null::bigint, null::integer, null::bigint, _at;
  return query
  select _at, 'lease', d.topic_id, d.subscription_id, d.delivery_no, d.lease_no, null::bigint, d.due_at
  from willcall.due_leases(_floor, _at + _ahead, _limit) d;
  return query
  select _at, 'deferred', d.topic_id, d.subscription_id, null::bigint, null::integer, null::bigint, d.due_at
  from willcall.due_deferred(_deferred_floor, _at + _ahead, _limit) d;
  return query
  select _at, 'scheduled', d.topic_id, null::integer, null::bigint, null::integer, d.scheduled_no, d.due_at
  from willcall.due_scheduled(_floor, _at + _ahead, _limit) d;
end
$$;
