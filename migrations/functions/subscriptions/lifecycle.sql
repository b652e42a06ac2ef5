-- Creation and deletion of topics and subscriptions, where they meet the hot verbs' locks. Names
-- and settings are the store's; these functions take the locks in their order (topic, then receive)
-- and check again.

-- start_subscription: writes the first row of a new subscription's log, with the head from which it
-- reads, and its first settled mark. Locks: topic, so that the tail does not move, then receive.
-- False when the topic was deleted.
create function willcall.start_subscription(
  _topic_id integer,
  _subscription_id integer,
  _start_at text,
  _start_time timestamptz,
  _principal text
) returns boolean
language plpgsql
set enable_seqscan = off
set enable_bitmapscan = off
set enable_sort = off
as $$
declare
  _head bigint;
  _at timestamptz;
begin
  perform willcall.take_lock(willcall.lock_topic(), _topic_id);
  perform willcall.take_lock(willcall.lock_receive(), _subscription_id);
  if not exists (select from willcall.topic t where t.topic_id = _topic_id and t.deleted_at is null) then
    return false;
  end if;
  _at := clock_timestamp();

  if _start_at = 'latest' then
    select m.seq into _head from willcall.message m where m.topic_id = _topic_id order by m.seq desc limit 1;
  elsif _start_at = 'earliest' then
    select m.seq - 1 into _head from willcall.message m where m.topic_id = _topic_id order by m.seq limit 1;
  else
    _head := willcall.last_seq_before(_topic_id, 0, _start_time);
  end if;
  _head := coalesce(_head, 0);

  insert into willcall.delivery (topic_id, subscription_id, delivery_no, head, at, generation, kind, principal)
  values (_topic_id, _subscription_id, 1, _head, _at, 1, 'start', _principal);
  -- The first row hands nothing out, so leases begin with the second.
  insert into willcall.settled_mark (topic_id, subscription_id, marked_at, settled_seq, lease_floor)
  values (_topic_id, _subscription_id, _at, _head, 2);
  return true;
end
$$;

-- last_seq_before: the greatest sequence above _above whose message entered the log before _time,
-- or _above. Binary search by probes of message_key: time never runs backwards in a log, and gaps
-- from pruning do no harm.
create function willcall.last_seq_before(_topic_id integer, _above bigint, _time timestamptz) returns bigint
language plpgsql
stable
as $$
declare
  _low bigint := _above;
  _high bigint;
  _probe record;
begin
  select m.seq into _high from willcall.message m where m.topic_id = _topic_id order by m.seq desc limit 1;
  _high := coalesce(_high, _above);
  -- Invariant: everything up to _low is before _time, everything above _high is not.
  while _low < _high loop
    select m.seq, m.published_at into _probe
    from willcall.message m
    where m.topic_id = _topic_id and m.seq >= (_low + _high + 1) / 2
    order by m.seq
    limit 1;
    if _probe.published_at < _time then
      _low := _probe.seq;
    else
      _high := (_low + _high + 1) / 2 - 1;
    end if;
  end loop;
  return _low;
end
$$;

-- delete_topic: turns a topic and its subscriptions into tombstones. Locks: topic, then receive of
-- each subscription in order of id. False when it is deleted already.
create function willcall.delete_topic(_topic_id integer, _principal text) returns boolean
language plpgsql
as $$
begin
  perform willcall.take_lock(willcall.lock_topic(), _topic_id);
  update willcall.topic t
  set deleted_at = clock_timestamp(), deleted_by = _principal
  where t.topic_id = _topic_id and t.deleted_at is null;
  if not found then
    return false;
  end if;
  perform willcall.delete_subscription(_topic_id, s.subscription_id, _principal)
  from (
    select s.subscription_id
    from willcall.subscription s
    where s.topic_id = _topic_id and s.deleted_at is null
    order by s.subscription_id
  ) s;
  return true;
end
$$;

-- delete_subscription: turns a subscription into a tombstone. Lock: receive. What was in flight can
-- no longer be settled.
create function willcall.delete_subscription(_topic_id integer, _subscription_id integer, _principal text)
returns boolean
language plpgsql
as $$
begin
  perform willcall.take_lock(willcall.lock_receive(), _subscription_id);
  update willcall.subscription s
  set deleted_at = clock_timestamp(), deleted_by = _principal
  where s.topic_id = _topic_id and s.subscription_id = _subscription_id and s.deleted_at is null;
  return found;
end
$$;
