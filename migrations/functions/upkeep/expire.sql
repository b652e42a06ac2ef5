-- expire: ends leases of one subscription whose time is over: each outstanding message gets a
-- failure row and is deferred or becomes a dead letter. Lock: settle. due_leases found the leases
-- without a lock, so each is checked again: it may have been settled or extended meanwhile. Returns
-- how many attempts ended, and how many of those messages are dead letters now.

create function willcall.expire(
  _topic_id integer,
  _subscription_id integer,
  _wait boolean,
  _first integer,
  _last integer,
  _delivery_nos bigint[],
  _lease_nos integer[]
) returns table (outcome text, ended bigint, dead bigint)
language plpgsql
rows 1
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
  _at timestamptz;
  _delivery record;
  _ended bigint;
  _dead bigint;
begin
  if not willcall.take_lock(willcall.lock_settle(), _subscription_id, _wait) then
    outcome := 'busy';
    return next;
    return;
  end if;
  -- Before the clock is read: floors over what is deferred rely on it (docs/architecture.md).
  perform pg_current_xact_id();
  _at := clock_timestamp();
  outcome := 'expired';
  ended := 0;
  dead := 0;

  if not exists (
    select
    from willcall.subscription s
    where s.topic_id = _topic_id and s.subscription_id = _subscription_id and s.deleted_at is null
  ) then
    delete from willcall.lease l
    where l.ctid = any (
      array(
        select o.row_ctid
        from unnest(_delivery_nos[_first:_last], _lease_nos[_first:_last]) due (delivery_no, lease_no)
        cross join lateral (
          select l.ctid as row_ctid
          from willcall.lease l
          where l.topic_id = _topic_id and l.subscription_id = _subscription_id and l.delivery_no = due.delivery_no
            and l.lease_no = due.lease_no
          limit 1
        ) o
      )
    );
    return next;
    return;
  end if;

  for _delivery in
    select due_lease.delivery_no, array_agg(msg.seq) as seqs
    from unnest(_delivery_nos[_first:_last], _lease_nos[_first:_last]) due (delivery_no, lease_no)
    cross join lateral (
      select lease.delivery_no, lease.outstanding
      from willcall.lease
      where lease.topic_id = _topic_id and lease.subscription_id = _subscription_id
        and lease.delivery_no = due.delivery_no and lease.lease_no = due.lease_no and lease.expires_at <= _at
      limit 1
    ) due_lease
    cross join lateral unnest(due_lease.outstanding) run
    cross join lateral generate_series(lower(run), upper(run) - 1) msg (seq)
    group by due_lease.delivery_no
  loop
    select count(*), count(*) filter (where ended.available_at is null) into _ended, _dead
    from willcall.end_attempts(
      _topic_id, _subscription_id, _at, _delivery.delivery_no, 'expired', null, _delivery.seqs, null, null, null
    ) ended;
    ended := ended + _ended;
    dead := dead + _dead;
  end loop;
  return next;
end
$$;
