-- receive: delivers messages of one subscription to waiters [_first, _last] of the flush, in their
-- order: first deferred messages that are due, then the log from the head on. Each waiter that is
-- served gets a delivery with a nonce of its own. Lock: receive. Indexes: delivery_key backwards,
-- for the head; deferred_queue; message_key.
-- A waiter with a receive key whose last delivery still has live leases gets what is outstanding of
-- it again, with the same receipts and a new visibility timeout; that changes leases, so it takes
-- the settle lock, too.
-- _deferred_floor: nothing deferred up to then is left (docs/architecture.md, floors).
-- _lease_floor: no lease of an older delivery lives. The first row has the outcome; then there is
-- one row per delivery, its messages as by willcall.pack_messages.

create function willcall.receive(
  _topic_id integer,
  _subscription_id integer,
  _wait boolean,
  _deferred_floor timestamptz,
  _lease_floor bigint,
  _first integer,
  _last integer,
  _max_messages integer[],
  _max_bytes bigint[],
  _visibility_timeout_seconds integer[],
  _nonces bigint[],
  _principals text[],
  _bytes_max bigint,
  _receive_keys text[]
) returns table (
  outcome text,
  checked_at timestamptz,
  deferred_drained boolean,
  in_flight_full boolean,
  lease_floor bigint,
  next_at timestamptz,
  waiter integer,
  delivery_no bigint,
  nonce text,
  expires_at timestamptz,
  messages integer,
  seqs bigint[],
  attempts integer[],
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
set enable_sort = off
set enable_material = off
set plan_cache_mode = force_generic_plan
as $$
#variable_conflict use_column
declare
  _sub record;
  _open integer[] := array(select generate_series(_first, _last));
  _again record;
  _again_waiters integer[];
  _again_nos bigint[];
  _again_nonces bigint[];
  _tail record;
  _at timestamptz;
  _wanted bigint := 0;
  _in_flight bigint;
  _seqs bigint[];
  _row_ctids tid[];
  _bytes bigint[];
  _attempts integer[];
  _failures integer[];
  _deferred_count integer := 0;
  _count integer;
  _waiter integer;
  _waiters integer[];
  _delivery_nos bigint[];
  _expiries timestamptz[];
  _firsts integer[];
  _lasts integer[];
  _from integer := 1;
  _to integer;
  _spent bigint := 0;
  _held bigint;
  _room bigint;
  _head bigint;
  _no bigint;
begin
  if not willcall.take_lock(willcall.lock_receive(), _subscription_id, _wait) then
    outcome := 'busy';
    return next;
    return;
  end if;

  select s.delay_seconds, s.max_in_flight, s.visibility_timeout_seconds into _sub
  from willcall.subscription s
  where s.topic_id = _topic_id and s.subscription_id = _subscription_id and s.deleted_at is null;
  if not found then
    outcome := 'subscription_not_found';
    return next;
    return;
  end if;

  select d.delivery_no, d.head, d.generation, d.at into _tail
  from willcall.delivery d
  where d.topic_id = _topic_id and d.subscription_id = _subscription_id
  order by d.delivery_no desc
  limit 1;
  outcome := 'received';
  -- The clock decides what is due and when a lease ends; the log's own time never runs backwards.
  checked_at := clock_timestamp();
  _at := willcall.log_time(_tail.at, checked_at);
  deferred_drained := false;
  in_flight_full := false;
  lease_floor := _lease_floor;
  _head := _tail.head;
  _no := _tail.delivery_no;

  if _receive_keys is not null then
    foreach _waiter in array _open loop
      select d.delivery_no, d.nonce into _again
      from willcall.delivery d
      where (d.topic_id::bigint << 32 | d.subscription_id) = (_topic_id::bigint << 32 | _subscription_id)
        and d.receive_key = _receive_keys[_waiter]
      order by d.delivery_no desc
      limit 1;
      continue when not found;
      perform willcall.take_lock(willcall.lock_settle(), _subscription_id);
      if willcall.extend_leases(
        _topic_id, _subscription_id, _again.delivery_no, checked_at,
        checked_at + coalesce(_visibility_timeout_seconds[_waiter], _sub.visibility_timeout_seconds) * interval '1 second',
        '{(,)}'
      ) is not null then
        _again_waiters := _again_waiters || _waiter;
        _again_nos := _again_nos || _again.delivery_no;
        _again_nonces := _again_nonces || _again.nonce;
      end if;
    end loop;
    select coalesce(array_agg(w.no order by w.no), '{}') into _open
    from unnest(_open) w (no)
    where w.no <> all (coalesce(_again_waiters, '{}'));
  end if;

  foreach _waiter in array _open loop
    _wanted := _wanted + _max_messages[_waiter];
  end loop;

  if _sub.max_in_flight is not null then
    select coalesce(sum(upper(r) - lower(r)), 0), coalesce(min(l.delivery_no), _no) into _in_flight, lease_floor
    from willcall.lease l
    cross join lateral unnest(l.outstanding) r
    where l.topic_id = _topic_id and l.subscription_id = _subscription_id and l.delivery_no >= _lease_floor;
    if _in_flight >= _sub.max_in_flight then
      in_flight_full := true;
    end if;
    _wanted := greatest(least(_wanted, _sub.max_in_flight - _in_flight), 0);
  end if;

  if _wanted > 0 then
    -- Rows that are locked are just being taken by a late acknowledgment.
    select
      array_agg(c.seq), array_agg(c.row_ctid), array_agg(c.body_bytes), array_agg(c.attempt + 1), array_agg(c.failures)
    into _seqs, _row_ctids, _bytes, _attempts, _failures
    from (
      select due.seq, due.row_ctid, m.body_bytes, due.attempt, due.failures
      from (
        select f.seq, f.ctid as row_ctid, f.attempt, f.failures
        from willcall.deferred f
        where (f.topic_id::bigint << 32 | f.subscription_id) = (_topic_id::bigint << 32 | _subscription_id)
          and f.available_at > _deferred_floor
          and f.available_at <= checked_at
        order by f.available_at, f.seq
        limit _wanted
        for update skip locked
      ) due
      cross join lateral (
        select m.body_bytes from willcall.message m where m.topic_id = _topic_id and m.seq = due.seq limit 1
      ) m
    ) c;
    _deferred_count := coalesce(cardinality(_seqs), 0);
    deferred_drained := _deferred_count < _wanted;

  end if;
  if _deferred_count < _wanted then
    if _sub.delay_seconds > 0 then
      perform willcall.note_message_ahead(_topic_id, checked_at);
    end if;
    -- Up to the first young message.
    select _seqs || array_agg(c.seq), _bytes || array_agg(c.body_bytes::bigint) into _seqs, _bytes
    from (
      select m.seq, m.body_bytes, min(m.seq) filter (
          where _sub.delay_seconds > 0
            and willcall.entered_at(_topic_id, m.seq, m.published_at, checked_at)
              > checked_at - _sub.delay_seconds * interval '1 second'
        ) over () as young
      from (
        select m.seq, m.body_bytes, m.published_at
        from willcall.message m
        where m.topic_id = _topic_id and m.seq > _head
        order by m.seq
        limit _wanted - _deferred_count
      ) m
    ) c
    where c.young is null or c.seq < c.young;
  end if;
  _count := coalesce(cardinality(_seqs), 0);

  if _count > 0 then
    perform willcall.note_clock_step('delivery', _topic_id, _subscription_id, _no + 1, _tail.at, _at);
  end if;
  foreach _waiter in array _open loop
    exit when _from > _count or _spent >= _bytes_max;
    -- The first message is always delivered, then as many as fit.
    _to := least(_count, _from + _max_messages[_waiter] - 1);
    _room := least(_max_bytes[_waiter], _bytes_max - _spent);
    select sum(h.bytes) into _held from unnest(_bytes[_from:_to]) h (bytes);
    while _to > _from and _held > _room loop
      _held := _held - _bytes[_to];
      _to := _to - 1;
    end loop;
    _spent := _spent + _held;

    _no := _no + 1;
    if _to > _deferred_count then
      _head := _seqs[_to];
    end if;
    expires_at := checked_at
      + coalesce(_visibility_timeout_seconds[_waiter], _sub.visibility_timeout_seconds) * interval '1 second';

    insert into willcall.delivery (
      topic_id, subscription_id, delivery_no, head, at, nonce, generation, kind, principal, receive_key, handed
    )
    select
      _topic_id, _subscription_id, _no, _head, _at, _nonces[_waiter], _tail.generation, 'deliver',
      _principals[_waiter], _receive_keys[_waiter], range_agg(int8range(h.seq, h.seq, '[]'))
    from unnest(_seqs[_from:_to]) h (seq);

    -- One lease for what is fresh, one for each pair of counts among what comes again.
    insert into willcall.lease (
      topic_id, subscription_id, delivery_no, lease_no, attempt, failures, expires_at, outstanding
    )
    select
      _topic_id, _subscription_id, _no, row_number() over () - 1, h.attempt, h.failures, expires_at,
      range_agg(int8range(h.seq, h.seq, '[]'))
    from (
      select e.seq, coalesce(e.attempt, 1) as attempt, coalesce(e.failures, 0) as failures
      from unnest(_seqs[_from:_to], _attempts[_from:_to], _failures[_from:_to]) e (seq, attempt, failures)
    ) h
    group by h.attempt, h.failures;

    _waiters := _waiters || _waiter;
    _delivery_nos := _delivery_nos || _no;
    _expiries := _expiries || expires_at;
    _firsts := _firsts || _from;
    _lasts := _lasts || _to;
    _from := _to + 1;
  end loop;

  if _deferred_count > 0 and _from > 1 then
    -- By ctid: they are locked, and up to PostgreSQL 16 a scan of the key by an array may be
    -- planned as a scan of all rows that share its first columns.
    delete from willcall.deferred f where f.ctid = any (_row_ctids[1:least(_deferred_count, _from - 1)]);
  end if;
  deferred_drained := deferred_drained and _from > _deferred_count;

  expires_at := null;
  if _from > _count and _count < _wanted then
    -- A waiter may stay parked: return when something that is already there falls due.
    select least(
      (
        select f.available_at
        from willcall.deferred f
        where (f.topic_id::bigint << 32 | f.subscription_id) = (_topic_id::bigint << 32 | _subscription_id)
          and f.available_at > checked_at
        order by f.available_at, f.seq
        limit 1
      ),
      (
        select willcall.entered_at(_topic_id, m.seq, m.published_at, checked_at)
          + _sub.delay_seconds * interval '1 second'
        from willcall.message m
        where _sub.delay_seconds > 0 and m.topic_id = _topic_id and m.seq > _head
        order by m.seq
        limit 1
      )
    ) into next_at;
  end if;
  return next;

  if _from > 1 then
    return query
    select
      null::text, null::timestamptz, null::boolean, null::boolean, null::bigint, null::timestamptz,
      d.waiter, d.delivery_no, null::text, d.expires_at, p.*
    from unnest(_waiters, _delivery_nos, _expiries, _firsts, _lasts) d (waiter, delivery_no, expires_at, first, last)
    cross join lateral willcall.pack_messages(_topic_id, _seqs[d.first:d.last], _attempts[d.first:d.last]) p;
  end if;

  if _again_nos is not null then
    return query
    select
      null::text, null::timestamptz, null::boolean, null::boolean, null::bigint, null::timestamptz,
      a.waiter, a.delivery_no, a.nonce::text, l.expires_at, p.*
    from unnest(_again_waiters, _again_nos, _again_nonces) a (waiter, delivery_no, nonce)
    cross join lateral (
      select
        max(l.expires_at) as expires_at, array_agg(s.seq order by s.seq) as seqs,
        array_agg(l.attempt order by s.seq) as attempts
      from willcall.lease l
      cross join lateral unnest(l.outstanding) r
      cross join lateral generate_series(lower(r), upper(r) - 1) s (seq)
      where l.topic_id = _topic_id and l.subscription_id = _subscription_id and l.delivery_no = a.delivery_no
        and l.expires_at > checked_at
    ) l
    cross join lateral willcall.pack_messages(_topic_id, l.seqs, l.attempts) p;
  end if;
end
$$;
