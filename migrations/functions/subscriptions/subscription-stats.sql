-- subscription_stats: a subscription's state at one moment, for people and metrics. Takes no lock.
-- Counting what is in flight, deferred or dead costs as much as there is of it; the backlog is a
-- subtraction, because sequences are dense.

create function willcall.subscription_stats(_topic_id integer, _subscription_id integer)
returns table (
  backlog bigint,
  in_flight bigint,
  deferred bigint,
  dead_letters bigint,
  oldest_unacknowledged_seconds double precision
)
language plpgsql
stable
set enable_seqscan = off
set enable_bitmapscan = off
set enable_sort = off
as $$
#variable_conflict use_column
declare
  _head bigint;
  _tail bigint;
  _lease_floor bigint;
  _oldest bigint;
begin
  select d.head into _head
  from willcall.delivery d
  where d.topic_id = _topic_id and d.subscription_id = _subscription_id
  order by d.delivery_no desc
  limit 1;
  select m.seq into _tail from willcall.message m where m.topic_id = _topic_id order by m.seq desc limit 1;
  backlog := greatest(coalesce(_tail, 0) - _head, 0);
  if backlog > 0 then
    _oldest := _head + 1;
  end if;

  select m.lease_floor into _lease_floor
  from willcall.settled_mark m
  where m.topic_id = _topic_id and m.subscription_id = _subscription_id
  order by m.marked_at desc
  limit 1;
  select coalesce(sum(upper(r) - lower(r)), 0), least(_oldest, min(lower(r))) into in_flight, _oldest
  from willcall.lease l
  cross join lateral unnest(l.outstanding) r
  where l.topic_id = _topic_id and l.subscription_id = _subscription_id and l.delivery_no >= _lease_floor;

  select count(*), least(_oldest, min(f.seq)) into deferred, _oldest
  from willcall.deferred f
  where f.topic_id = _topic_id and f.subscription_id = _subscription_id;

  select count(*) into dead_letters
  from willcall.dead_letter d
  where d.topic_id = _topic_id and d.subscription_id = _subscription_id and d.closed_at is null;

  select greatest(extract(epoch from clock_timestamp() - m.published_at), 0) into oldest_unacknowledged_seconds
  from willcall.message m
  where m.topic_id = _topic_id and m.seq >= _oldest
  order by m.seq
  limit 1;
  return next;
end
$$;
