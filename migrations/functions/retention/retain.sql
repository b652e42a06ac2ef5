-- Retention of a subscription, in bounded steps. Only what lies below every cursor, lease, deferred
-- message and pin is dropped; the last row of each log stays, because the next number is read from
-- it. The caller's floors (null at first) keep a step from scanning the dead rows of earlier steps.

-- retain_subscription: retention of one subscription. Locks: receive, then settle, so that nothing
-- moves meanwhile. due_retention finds where it has something to do: its conditions are the same.
-- 1. Messages that outlived the topic's retention and were never delivered: the cursor moves past
-- them, recorded as one `expire` row and one dead letter for the range. 2. Those that were tried
-- and wait for another attempt: a dead letter each. 3. A settled mark, at most one a minute. 4. Old
-- delivery rows and old marks are deleted.
create function willcall.retain_subscription(
  _topic_id integer,
  _subscription_id integer,
  _delivery_floor bigint,
  _limit integer,
  out expired bigint,
  out dead bigint,
  out delivery_floor bigint
) returns record
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
  _topic record;
  _tail record;
  _mark record;
  _bound bigint;
  _at timestamptz;
  _too_old timestamptz;
begin
  expired := 0;
  dead := 0;
  perform willcall.take_lock(willcall.lock_receive(), _subscription_id);
  perform willcall.take_lock(willcall.lock_settle(), _subscription_id);

  select t.retention_seconds, t.retain_acknowledged_seconds into _topic
  from willcall.topic t
  join willcall.subscription s on s.topic_id = t.topic_id
  where t.topic_id = _topic_id and s.subscription_id = _subscription_id and s.deleted_at is null;
  if not found then
    -- A tombstone keeps its logs and its ledger; what only served later deliveries is deleted. The
    -- mark keeps later scans from the dead rows.
    with gone as (
      delete from willcall.deferred f
      where f.topic_id = _topic_id and f.subscription_id = _subscription_id
      returning f.seq
    )
    insert into willcall.settled_mark (topic_id, subscription_id, marked_at, settled_seq, lease_floor)
    select _topic_id, _subscription_id, clock_timestamp(), max(g.seq), 0
    from gone g
    having count(*) > 0;
    return;
  end if;

  select d.delivery_no, d.head, d.generation, d.at into _tail
  from willcall.delivery d
  where d.topic_id = _topic_id and d.subscription_id = _subscription_id
  order by d.delivery_no desc
  limit 1;
  select m.marked_at, m.settled_seq, m.lease_floor into _mark
  from willcall.settled_mark m
  where m.topic_id = _topic_id and m.subscription_id = _subscription_id
  order by m.marked_at desc
  limit 1;
  _at := willcall.log_time(_tail.at, clock_timestamp());
  _too_old := clock_timestamp() - _topic.retention_seconds * interval '1 second';

  expired := willcall.expire_backlog(_topic_id, _subscription_id, _tail.delivery_no, _tail.head, _tail.generation, _at, _too_old);
  if expired > 0 then
    perform willcall.note_clock_step(
      'delivery', _topic_id, _subscription_id, _tail.delivery_no + 1, _tail.at, _at
    );
  end if;
  _tail.head := _tail.head + expired;
  dead := willcall.dead_letter_overdue(_topic_id, _subscription_id, _mark.settled_seq, _tail.generation, _at, _too_old, _limit);
  if _mark.marked_at <= _at - interval '1 minute' then
    perform willcall.mark_settled(
      _topic_id, _subscription_id, _tail.head, _tail.delivery_no, _mark.settled_seq, _mark.lease_floor, _at,
      _topic.retain_acknowledged_seconds
    );
  end if;

  -- The limit applies before the age is compared: time rises with delivery_no, so a young row ends
  -- the scan.
  delivery_floor := coalesce(_delivery_floor, 0);
  select max(o.delivery_no) into _bound
  from (
    select d.delivery_no, d.at
    from willcall.delivery d
    where d.topic_id = _topic_id and d.subscription_id = _subscription_id
      and d.delivery_no > retain_subscription.delivery_floor
      and d.delivery_no < least(_mark.lease_floor, _tail.delivery_no)
    order by d.delivery_no
    limit _limit
  ) o
  where o.at < _too_old;
  delete from willcall.delivery d
  where d.topic_id = _topic_id and d.subscription_id = _subscription_id
    and d.delivery_no > retain_subscription.delivery_floor and d.delivery_no <= _bound;
  delivery_floor := coalesce(_bound, delivery_floor);
end
$$;

-- expire_backlog: moves the cursor past what is too old; returns how many messages that were.
create function willcall.expire_backlog(
  _topic_id integer,
  _subscription_id integer,
  _delivery_no bigint,
  _head bigint,
  _generation integer,
  _at timestamptz,
  _too_old timestamptz
) returns bigint
language plpgsql
as $$
declare
  _next_at timestamptz;
  _boundary bigint;
begin
  select m.published_at into _next_at
  from willcall.message m
  where m.topic_id = _topic_id and m.seq > _head
  order by m.seq
  limit 1;
  if _next_at is null or _next_at >= _too_old then
    return 0;
  end if;

  _boundary := willcall.last_seq_before(_topic_id, _head, _too_old);
  insert into willcall.delivery (
    topic_id, subscription_id, delivery_no, head, at, generation, kind, principal, handed
  )
  values (
    _topic_id, _subscription_id, _delivery_no + 1, _boundary, _at, _generation, 'expire', 'willcall',
    int8multirange(int8range(_head + 1, _boundary, '[]'))
  );
  insert into willcall.dead_letter (
    topic_id, subscription_id, dead_letter_no, reason, dead_at, seq, seq_last, message_count, generation
  )
  values (
    _topic_id, _subscription_id, willcall.last_dead_letter_no(_topic_id, _subscription_id) + 1, 'expired', _at,
    _head + 1, _boundary, _boundary - _head, _generation
  );
  return _boundary - _head;
end
$$;

-- dead_letter_overdue: makes dead letters of deferred messages that are too old, each with a full
-- copy and its history; returns how many. They are deleted by ctid: up to PostgreSQL 16, a scan of
-- a key by an array may be planned as a scan of all rows that share the key's first columns. Under
-- both locks nothing else deletes them meanwhile.
create function willcall.dead_letter_overdue(
  _topic_id integer,
  _subscription_id integer,
  _settled_seq bigint,
  _generation integer,
  _at timestamptz,
  _too_old timestamptz,
  _limit integer
) returns bigint
language plpgsql
as $$
declare
  _row_ctids tid[];
  _row record;
  _dead bigint := 0;
begin
  select array_agg(f.row_ctid) into _row_ctids
  from (
    select f.seq, f.ctid as row_ctid
    from willcall.deferred f
    where f.topic_id = _topic_id and f.subscription_id = _subscription_id and f.seq > coalesce(_settled_seq, 0)
    order by f.seq
    limit _limit
  ) f
  cross join lateral (
    select m.published_at from willcall.message m where m.topic_id = _topic_id and m.seq = f.seq limit 1
  ) m
  where m.published_at < _too_old;

  for _row in
    with taken as (
      delete from willcall.deferred f
      where f.ctid = any (_row_ctids)
      returning f.seq, f.attempt
    )
    insert into willcall.dead_letter (
      topic_id, subscription_id, dead_letter_no, reason, dead_at, seq, seq_last, message_count, generation, attempts, message_id,
      published_at, published_by, content_type, attributes, ordering_key, body_bytes, body_sha256, body, history
    )
    select
      _topic_id, _subscription_id,
      (select willcall.last_dead_letter_no(_topic_id, _subscription_id)) + row_number() over (order by t.seq),
      'retention', _at, t.seq, t.seq, 1, _generation, t.attempt, m.message_id,
      m.published_at, m.published_by, m.content_type, m.attributes, m.ordering_key, m.body_bytes, m.body_sha256, m.body,
      willcall.failure_history(_topic_id, _subscription_id, t.seq, _generation)
    from taken t
    cross join lateral (
      select m.* from willcall.message m where m.topic_id = _topic_id and m.seq = t.seq limit 1
    ) m
    returning seq, attempts, dead_letter_no
  loop
    -- So that a late acknowledgment of the last attempt finds and closes the dead letter.
    update willcall.failure f
    set dead_letter_no = _row.dead_letter_no
    where f.topic_id = _topic_id and f.subscription_id = _subscription_id and f.seq = _row.seq
      and f.generation = _generation and f.attempt = _row.attempts;
    _dead := _dead + 1;
  end loop;
  return _dead;
end
$$;

-- mark_settled: records up to where everything is settled now, and below which delivery no lease
-- lives; deletes marks that pruning no longer reads.
create function willcall.mark_settled(
  _topic_id integer,
  _subscription_id integer,
  _head bigint,
  _delivery_no bigint,
  _settled_seq bigint,
  _lease_floor bigint,
  _at timestamptz,
  _retain_seconds integer
) returns void
language plpgsql
as $$
declare
  _waiting bigint;
  _leased bigint;
  _oldest_lease bigint;
  _settled bigint;
  _newest_at timestamptz;
  _eldest_at timestamptz;
begin
  select f.seq into _waiting
  from willcall.deferred f
  where f.topic_id = _topic_id and f.subscription_id = _subscription_id and f.seq > _settled_seq
  order by f.seq
  limit 1;
  select min(lower(l.outstanding)), min(l.delivery_no) into _leased, _oldest_lease
  from willcall.lease l
  where l.topic_id = _topic_id and l.subscription_id = _subscription_id and l.delivery_no >= _lease_floor;

  _settled := least(_head, _waiting - 1, _leased - 1);
  if _settled > _settled_seq or coalesce(_oldest_lease, _delivery_no + 1) > _lease_floor then
    insert into willcall.settled_mark (topic_id, subscription_id, marked_at, settled_seq, lease_floor)
    values (
      _topic_id, _subscription_id, _at, greatest(_settled, _settled_seq), coalesce(_oldest_lease, _delivery_no + 1)
    );
  end if;

  select m.marked_at into _newest_at
  from willcall.settled_mark m
  where m.topic_id = _topic_id and m.subscription_id = _subscription_id
  order by m.marked_at desc
  limit 1;
  select m.marked_at into _eldest_at
  from willcall.settled_mark m
  where m.topic_id = _topic_id and m.subscription_id = _subscription_id
  order by m.marked_at
  limit 1;
  delete from willcall.settled_mark m
  where m.topic_id = _topic_id and m.subscription_id = _subscription_id
    and m.marked_at < willcall.droppable_marks(
      _topic_id, _subscription_id, _eldest_at, _newest_at, _at - _retain_seconds * interval '1 second'
    );
end
$$;

-- droppable_marks: before when marks can be deleted now; null when there are too few to be worth a
-- step. Pruning reads the newest one that is old enough. Those before it are deleted an hour's
-- worth at a time, and the last ones when no more of them will be old enough: otherwise each minute
-- of a busy day would cost a step of its own a day later.
create function willcall.droppable_marks(
  _topic_id integer,
  _subscription_id integer,
  _eldest_at timestamptz,
  _newest_at timestamptz,
  _ripe_at timestamptz
) returns timestamptz
language plpgsql
stable
as $$
declare
  _kept_at timestamptz;
begin
  -- Not below the eldest: dead rows lie there.
  select m.marked_at into _kept_at
  from willcall.settled_mark m
  where m.topic_id = _topic_id and m.subscription_id = _subscription_id
    and m.marked_at <= _ripe_at and m.marked_at >= _eldest_at
  order by m.marked_at desc
  limit 1;
  if _eldest_at < _kept_at and (_kept_at = _newest_at or _eldest_at < _kept_at - interval '1 hour') then
    return _kept_at;
  end if;
  return null;
end
$$;
