-- extend: moves the end of live leases to _visibility_timeout_seconds (null: the subscription's
-- own) from now. Receipts stay valid. Lock: settle. Groups and entries as in acknowledge. A lease
-- has one expiry, so extending part of a lease splits it. Returns one row per receipt.

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
  _asked int8multirange;
  _lease record;
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
    _asked := null;
    for outcome, entry, message_id, ack_no, acknowledged_at in
      select j.outcome, e.no, j.message_id, j.ack_no, j.acknowledged_at
      from generate_series(_entry_firsts[_g], _entry_lasts[_g]) e (no)
      cross join lateral willcall.judge_receipt(
        'extend', _topic_id, _subscription_id, _at, _delivery_nos[_g], _nonces[_g], _seqs[e.no]
      ) j
    loop
      expires_at := null;
      if outcome is null then
        outcome := 'extended';
        expires_at := _until;
        _asked := coalesce(_asked, '{}'::int8multirange)
          + int8multirange(int8range(_seqs[entry], _seqs[entry], '[]'));
      end if;
      return next;
    end loop;
    continue when _asked is null;

    for _lease in
      select l.lease_no, l.attempt, l.failures, l.outstanding
      from willcall.lease l
      where l.topic_id = _topic_id and l.subscription_id = _subscription_id and l.delivery_no = _delivery_nos[_g]
        and l.outstanding && _asked and l.expires_at > _at
      order by l.lease_no
    loop
      if _lease.outstanding <@ _asked then
        update willcall.lease l
        set expires_at = _until
        where l.topic_id = _topic_id and l.subscription_id = _subscription_id and l.delivery_no = _delivery_nos[_g]
          and l.lease_no = _lease.lease_no;
      else
        update willcall.lease l
        set outstanding = l.outstanding - _asked
        where l.topic_id = _topic_id and l.subscription_id = _subscription_id and l.delivery_no = _delivery_nos[_g]
          and l.lease_no = _lease.lease_no;
        insert into willcall.lease (
          topic_id, subscription_id, delivery_no, lease_no, attempt, failures, expires_at, outstanding
        )
        select
          _topic_id, _subscription_id, _delivery_nos[_g], l.lease_no + 1, _lease.attempt, _lease.failures, _until,
          _lease.outstanding * _asked
        from willcall.lease l
        where l.topic_id = _topic_id and l.subscription_id = _subscription_id and l.delivery_no = _delivery_nos[_g]
        order by l.lease_no desc
        limit 1;
      end if;
    end loop;
  end loop;
end
$$;
