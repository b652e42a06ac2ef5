-- extend: moves the end of live leases to _visibility_timeout_seconds (null: the subscription's
-- own) from now. Receipts stay valid. Lock: settle. Groups and entries as in acknowledge. Returns
-- one row per receipt.

create function willcall.extend(
  _topic_id integer,
  _subscription_id integer,
  _wait boolean,
  _first integer,
  _last integer,
  _delivery_nos bigint[],
  _nonces bigint[],
  _visibility_timeout_seconds integer[],
  _entry_firsts integer[],
  _entry_lasts integer[],
  _seqs bigint[]
) returns table (
  outcome text,
  entry integer,
  message_id bytea,
  ack_no bigint,
  acknowledged_at timestamptz,
  expires_at timestamptz
)
language plpgsql
rows 10
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
  _timeout_seconds integer;
  _at timestamptz;
  _until timestamptz;
  _group bigint[];
  _extended int8multirange;
  _count integer;
  _rest integer[];
begin
  if not willcall.take_lock(willcall.lock_settle(), _subscription_id, _wait) then
    outcome := 'busy';
    return next;
    return;
  end if;

  select s.visibility_timeout_seconds into _timeout_seconds
  from willcall.subscription s
  where s.topic_id = _topic_id and s.subscription_id = _subscription_id and s.deleted_at is null;
  if not found then
    outcome := 'subscription_not_found';
    return next;
    return;
  end if;
  _at := clock_timestamp();

  for _g in _first.._last loop
    _until := _at + coalesce(_visibility_timeout_seconds[_g], _timeout_seconds) * interval '1 second';
    _group := _seqs[_entry_firsts[_g]:_entry_lasts[_g]];
    _extended := null;
    perform from willcall.delivery
    where delivery.topic_id = _topic_id and delivery.subscription_id = _subscription_id
      and delivery.delivery_no = _delivery_nos[_g] and delivery.nonce = _nonces[_g];
    if found then
      _extended := willcall.extend_leases(
        _topic_id, _subscription_id, _delivery_nos[_g], _at, _until,
        (select range_agg(int8range(entry.seq, entry.seq, '[]')) from unnest(_group) entry (seq))
      );
    end if;
    return query
    select
      'extended', _entry_firsts[_g] + entry.no::integer - 1, msg.message_id, null::bigint, null::timestamptz, _until
    from unnest(_group) with ordinality entry (seq, no)
    left join lateral (
      select msg.message_id from willcall.message msg where msg.topic_id = _topic_id and msg.seq = entry.seq limit 1
    ) msg on true
    where _extended @> entry.seq;
    get diagnostics _count = row_count;

    -- The rest: receipts without a live lease.
    continue when _count = cardinality(_group);
    _rest := array(
      select entry.no from unnest(_group) with ordinality entry (seq, no) where (_extended @> entry.seq) is not true
    );
    return query
    select
      judged.outcome, _entry_firsts[_g] + _rest[judged.entry] - 1, judged.message_id, judged.ack_no,
      judged.acknowledged_at, null::timestamptz
    from willcall.judge_receipts(
      'extend', _topic_id, _subscription_id, _at, _delivery_nos[_g], _nonces[_g],
      array(select _group[rest.no] from unnest(_rest) rest (no))
    ) judged;
  end loop;
end
$$;

-- extend_leases: moves the end of what is _asked of one delivery's live leases, and of nothing
-- else, to _until; returns what that was, null for nothing. A lease has one expiry, so what is
-- extended leaves its lease, and all that has the same counts and the same expiry then is one
-- lease: leases do not grow in number with every call. Called under the settle lock and its
-- caller's planner settings. Index: lease_key, once.
create function willcall.extend_leases(
  _topic_id integer,
  _subscription_id integer,
  _delivery_no bigint,
  _at timestamptz,
  _until timestamptz,
  _asked int8multirange
) returns int8multirange
language plpgsql
as $$
declare
  _touched record;
begin
  select
    array_agg(lease.ctid) as row_ctids, array_agg(lease.lease_no) as lease_nos, array_agg(lease.attempt) as attempts,
    array_agg(lease.failures) as failures, range_agg(lease.outstanding * _asked) as extended,
    array_agg(
      case when lease.expires_at = _until then lease.outstanding else lease.outstanding * _asked end
    ) as parts,
    array_agg(case when lease.expires_at = _until then '{}' else lease.outstanding - _asked end) as rests
  into _touched
  from willcall.lease
  where lease.topic_id = _topic_id and lease.subscription_id = _subscription_id
    and lease.delivery_no = _delivery_no and lease.expires_at > _at
    and (lease.outstanding && _asked or lease.expires_at = _until);

  if isempty(_touched.extended) is not false then
    return null;
  end if;
  if cardinality(_touched.lease_nos) = 1 and isempty(_touched.rests[1]) then
    update willcall.lease
    set expires_at = _until
    where lease.ctid = _touched.row_ctids[1];
    return _touched.extended;
  end if;

  with touched as (
    select touched.*
    from unnest(
      _touched.row_ctids, _touched.lease_nos, _touched.attempts, _touched.failures, _touched.parts, _touched.rests
    ) touched (row_ctid, lease_no, attempt, failures, part, rest)
  ),
  -- One lease for each pair of counts: the first row that moves whole, or a new one.
  merged as materialized (
    select
      touched.attempt, touched.failures, range_agg(touched.part) as outstanding,
      min(touched.lease_no) filter (where isempty(touched.rest)) as lease_no
    from touched
    group by touched.attempt, touched.failures
  ),
  gone as (
    delete from willcall.lease
    where lease.ctid = any (array(
      select touched.row_ctid
      from touched
      where isempty(touched.rest)
        and touched.lease_no <> all (array(select merged.lease_no from merged where merged.lease_no is not null))
    ))
  ),
  shrunk as (
    update willcall.lease
    set outstanding = touched.rest
    from touched
    where not isempty(touched.rest) and lease.ctid = touched.row_ctid
  ),
  moved as (
    update willcall.lease
    set expires_at = _until, outstanding = merged.outstanding
    from merged
    where lease.topic_id = _topic_id and lease.subscription_id = _subscription_id
      and lease.delivery_no = _delivery_no and lease.lease_no = merged.lease_no
  )
  insert into willcall.lease (
    topic_id, subscription_id, delivery_no, lease_no, attempt, failures, expires_at, outstanding
  )
  select
    _topic_id, _subscription_id, _delivery_no, last.lease_no + row_number() over (), merged.attempt, merged.failures,
    _until, merged.outstanding
  from merged
  cross join lateral (
    select lease.lease_no
    from willcall.lease
    where lease.topic_id = _topic_id and lease.subscription_id = _subscription_id
      and lease.delivery_no = _delivery_no
    order by lease.lease_no desc
    limit 1
  ) last
  where merged.lease_no is null;
  return _touched.extended;
end
$$;
