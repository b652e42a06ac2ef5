-- give_back: what release and reject have in common: judges each receipt and ends the attempts of
-- those that are live. Takes the settle lock; runs under its caller's planner settings. Returns one
-- row per receipt; a second entry for the same message in a flush finds it settled by the first.

create function willcall.give_back(
  _verb text,
  _topic_id integer,
  _subscription_id integer,
  _wait boolean,
  _first integer,
  _last integer,
  _delivery_nos bigint[],
  _nonces bigint[],
  _principals text[],
  _entry_firsts integer[],
  _entry_lasts integer[],
  _seqs bigint[],
  _delay_seconds double precision[],
  _error_codes text[],
  _error_messages text[]
) returns table (
  outcome text,
  entry integer,
  message_id bytea,
  ack_no bigint,
  acknowledged_at timestamptz,
  available_at timestamptz
)
language plpgsql
rows 10
as $$
#variable_conflict use_column
declare
  _ended text := case _verb when 'release' then 'released' else 'rejected' end;
  _at timestamptz;
  _live integer[];
  _rest integer[];
begin
  if not willcall.take_lock(willcall.lock_settle(), _subscription_id, _wait) then
    outcome := 'busy';
    return next;
    return;
  end if;

  perform from willcall.subscription s
  where s.topic_id = _topic_id and s.subscription_id = _subscription_id and s.deleted_at is null;
  if not found then
    outcome := 'subscription_not_found';
    return next;
    return;
  end if;
  -- Before the clock is read: floors over what is deferred rely on it (docs/architecture.md).
  perform pg_current_xact_id();
  _at := clock_timestamp();

  for _g in _first.._last loop
    select array_agg(r.entry) filter (where r.live and r.nth = 1),
      array_agg(r.entry order by r.entry) filter (where not r.live or r.nth > 1)
    into _live, _rest
    from (
      select
        e.no as entry, j.outcome is null as live, row_number() over (partition by _seqs[e.no] order by e.no) as nth
      from generate_series(_entry_firsts[_g], _entry_lasts[_g]) e (no)
      cross join lateral willcall.judge_receipt(
        _verb, _topic_id, _subscription_id, _at, _delivery_nos[_g], _nonces[_g], _seqs[e.no]
      ) j
    ) r;

    if _live is not null then
      return query
      select _ended, _live[r.ord], r.message_id, null::bigint, null::timestamptz, r.available_at
      from willcall.end_attempts(
        _topic_id, _subscription_id, _at, _delivery_nos[_g], _ended, _principals[_g],
        (select array_agg(_seqs[l.entry]) from unnest(_live) l (entry)),
        (select array_agg(_delay_seconds[l.entry]) from unnest(_live) l (entry)),
        (select array_agg(_error_codes[l.entry]) from unnest(_live) l (entry)),
        (select array_agg(_error_messages[l.entry]) from unnest(_live) l (entry))
      ) r;
    end if;

    if _rest is not null then
      return query
      select j.outcome, e.entry, j.message_id, j.ack_no, j.acknowledged_at, null::timestamptz
      from unnest(_rest) e (entry)
      cross join lateral willcall.judge_receipt(
        _verb, _topic_id, _subscription_id, _at, _delivery_nos[_g], _nonces[_g], _seqs[e.entry]
      ) j;
    end if;
  end loop;
end
$$;
