-- Pruning of a topic's log, in bounded steps. Only what lies below every cursor, lease, deferred
-- message and pin is dropped; the last row stays, because the next number is read from it. The
-- caller's floor keeps a step from scanning the dead rows of earlier steps.

-- prune_topic: drops the oldest messages of a topic that no subscription needs any more. Lock:
-- topic. Returns how many it dropped, and the floor for the next step.
create function willcall.prune_topic(_topic_id integer, _floor bigint, _limit integer, out pruned bigint, out floor bigint)
returns record
language plpgsql
set enable_seqscan = off
set enable_bitmapscan = off
set enable_hashjoin = off
set enable_mergejoin = off
set enable_sort = off
set enable_material = off
set plan_cache_mode = force_generic_plan
as $$
declare
  _bound bigint;
  _scheduled_nos bigint[];
  _row_ctids tid[];
  _subscription_id integer;
begin
  perform willcall.take_lock(willcall.lock_topic(), _topic_id);
  floor := coalesce(_floor, 0);
  _bound := willcall.prunable_seq(_topic_id, floor);

  select max(m.seq) into _bound
  from (
    select m.seq
    from willcall.message m
    where m.topic_id = _topic_id and m.seq > prune_topic.floor and m.seq <= _bound
    order by m.seq
    limit _limit
  ) m;
  pruned := 0;
  if _bound is null then
    return;
  end if;

  with gone as (
    delete from willcall.message m
    where m.topic_id = _topic_id and m.seq > prune_topic.floor and m.seq <= _bound
    returning m.message_id
  )
  select
    count(*),
    array_agg(('x' || encode(substring(g.message_id from 6 for 8), 'hex'))::bit(64)::bigint)
      filter (where get_byte(g.message_id, 0) = 2)
  into pruned, _scheduled_nos
  from gone g;
  select array_agg(s.row_ctid) into _row_ctids
  from unnest(_scheduled_nos) gone (scheduled_no)
  cross join lateral (
    select s.ctid as row_ctid
    from willcall.scheduled_sequence s
    where s.topic_id = _topic_id and s.scheduled_no = gone.scheduled_no
    limit 1
  ) s;
  delete from willcall.scheduled_sequence s where s.ctid = any (_row_ctids);

  -- Attempts at messages that are gone; a dead letter has its history with it.
  for _subscription_id in select s.subscription_id from willcall.subscription s where s.topic_id = _topic_id loop
    delete from willcall.failure f
    where f.topic_id = _topic_id and f.subscription_id = _subscription_id
      and f.seq > prune_topic.floor and f.seq <= _bound;
  end loop;
  floor := _bound;
end
$$;

-- prunable_seq: up to which sequence a topic's log may be dropped now; nothing is left of it up to
-- _above. Also called by due_pruning.
create function willcall.prunable_seq(_topic_id integer, _above bigint default 0) returns bigint
language plpgsql
stable
as $$
declare
  _topic record;
  _tail bigint;
  _settled bigint;
  _pinned bigint;
  _now timestamptz := clock_timestamp();
begin
  select t.deleted_at, t.retention_seconds, t.retain_acknowledged_seconds, t.expired_retention_seconds into _topic
  from willcall.topic t
  where t.topic_id = _topic_id;
  select m.seq into _tail from willcall.message m where m.topic_id = _topic_id order by m.seq desc limit 1;
  if _tail is null or _topic.deleted_at is not null then
    return _tail - 1;
  end if;

  -- Settled by every subscription, for as long as the topic keeps that. A subscription younger than
  -- that needs nothing before its start: no mark of it was deleted yet, so the scan for the eldest
  -- meets no dead rows.
  select min(
    coalesce(
      (
        select m.settled_seq
        from willcall.settled_mark m
        where m.topic_id = _topic_id and m.subscription_id = s.subscription_id
          and m.marked_at <= _now - _topic.retain_acknowledged_seconds * interval '1 second'
        order by m.marked_at desc
        limit 1
      ),
      (
        select m.settled_seq
        from willcall.settled_mark m
        where m.topic_id = _topic_id and m.subscription_id = s.subscription_id
        order by m.marked_at
        limit 1
      ),
      0
    )
  ) into _settled
  from willcall.subscription s
  where s.topic_id = _topic_id and s.deleted_at is null;
  -- Without subscriptions, what is published waits for one that starts at the earliest.
  _settled := coalesce(
    _settled,
    willcall.last_seq_before(_topic_id, _above, _now - _topic.retention_seconds * interval '1 second')
  );

  select min(d.seq) into _pinned
  from willcall.dead_letter d
  where d.topic_id = _topic_id and d.reason = 'expired'
    and d.dead_at > _now - _topic.expired_retention_seconds * interval '1 second';

  return least(_settled, _pinned - 1, _tail - 1);
end
$$;
