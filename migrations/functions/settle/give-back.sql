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
  _left integer;
  _done boolean[];
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
    _left := _entry_lasts[_g] - _entry_firsts[_g] + 1;
    _done := array_fill(false, array[_left]);
    perform from willcall.delivery
    where delivery.topic_id = _topic_id and delivery.subscription_id = _subscription_id
      and delivery.delivery_no = _delivery_nos[_g] and delivery.nonce = _nonces[_g];
    if found then
      outcome := _ended;
      for entry, message_id, available_at in
        select ended.entry, ended.message_id, ended.available_at
        from willcall.end_attempts(
          _topic_id, _subscription_id, _at, _delivery_nos[_g], _ended, _principals[_g],
          _seqs[_entry_firsts[_g]:_entry_lasts[_g]], _delay_seconds[_entry_firsts[_g]:_entry_lasts[_g]],
          _error_codes[_entry_firsts[_g]:_entry_lasts[_g]], _error_messages[_entry_firsts[_g]:_entry_lasts[_g]]
        ) ended
      loop
        _done[entry] := true;
        _left := _left - 1;
        entry := _entry_firsts[_g] + entry - 1;
        return next;
      end loop;
    end if;

    -- The rest: receipts without a live lease, and duplicates of what was just ended.
    continue when _left = 0;
    _rest := array(
      select _entry_firsts[_g] + place.no - 1 from generate_subscripts(_done, 1) place (no) where not _done[place.no]
    );
    return query
    select
      judged.outcome, _rest[judged.entry], judged.message_id, judged.ack_no, judged.acknowledged_at, null::timestamptz
    from willcall.judge_receipts(
      _verb, _topic_id, _subscription_id, _at, _delivery_nos[_g], _nonces[_g],
      array(select _seqs[rest.entry] from unnest(_rest) rest (entry))
    ) judged;
  end loop;
end
$$;
