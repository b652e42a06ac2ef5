-- acknowledge: settles receipts of one subscription and writes the ledger. What leaves a lease is
-- exactly what gets a ledger row. Lock: settle. Indexes: delivery_key, lease_key, message_key;
-- acknowledgment_key backwards, for the tail. A group is the receipts of one delivery in one call:
-- entries [_entry_firsts[g], _entry_lasts[g]] of _seqs and _refs. Returns one row per group for
-- what was live, and one row per receipt for the rest; `reference` is the kept one where the
-- message was acknowledged before. _atomic (the flush is one call then): if one receipt fails, none
-- is settled, and those that would have been are 'not_done'.

create function willcall.acknowledge(
  _topic_id integer,
  _subscription_id integer,
  _wait boolean,
  _atomic boolean,
  _first integer,
  _last integer,
  _delivery_nos bigint[],
  _nonces bigint[],
  _principals text[],
  _key_ids text[],
  _entry_firsts integer[],
  _entry_lasts integer[],
  _seqs bigint[],
  _refs text[]
) returns table (
  outcome text,
  grp integer,
  entry integer,
  seqs bigint[],
  message_ids bytea[],
  ack_no bigint,
  acknowledged_at timestamptz,
  late boolean,
  reference text
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
  _tail bigint;
  _now timestamptz;
  _at timestamptz;
  _tail_at timestamptz;
  _delivery record;
  _leased record;
  _done bigint[];
  _ids bytea[];
  _lates boolean[];
  _missed integer[];
  _entry integer;
  _verdict record;
  _verdicts text[];
  _ack_nos bigint[];
  _acknowledged_ats timestamptz[];
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

  select a.ack_no, a.acknowledged_at into _tail, _tail_at
  from willcall.acknowledgment a
  where a.topic_id = _topic_id and a.subscription_id = _subscription_id
  order by a.ack_no desc
  limit 1;
  _tail := coalesce(_tail, 0);
  -- The clock decides whether a lease is over; the ledger's own time never runs backwards.
  _now := clock_timestamp();
  _at := willcall.log_time(_tail_at, _now);
  perform willcall.note_clock_step('acknowledgment', _topic_id, _subscription_id, _tail + 1, _tail_at, _at);

  if _atomic then
    select
      array_agg(judged.outcome order by share.no, judged.entry),
      array_agg(judged.message_id order by share.no, judged.entry),
      array_agg(judged.ack_no order by share.no, judged.entry),
      array_agg(judged.acknowledged_at order by share.no, judged.entry)
    into _verdicts, _ids, _ack_nos, _acknowledged_ats
    from generate_series(_first, _last) share (no)
    cross join lateral willcall.judge_receipts(
      'acknowledge', _topic_id, _subscription_id, _now, _delivery_nos[share.no], _nonces[share.no],
      _seqs[_entry_firsts[share.no]:_entry_lasts[share.no]]
    ) judged;
    if exists (
      select from unnest(_verdicts) v (outcome)
      where v.outcome is not null and v.outcome not in ('acknowledged_late', 'already_acknowledged')
    ) then
      for _g in _first.._last loop
        for _e in _entry_firsts[_g].._entry_lasts[_g] loop
          _entry := _e - _entry_firsts[_first] + 1;
          outcome := coalesce(nullif(_verdicts[_entry], 'acknowledged_late'), 'not_done');
          grp := _g; entry := _e; message_ids := _ids[_entry:_entry];
          ack_no := _ack_nos[_entry]; acknowledged_at := _acknowledged_ats[_entry];
          reference := willcall.kept_reference(_topic_id, _subscription_id, outcome, ack_no);
          return next;
        end loop;
      end loop;
      return;
    end if;
  end if;

  for _g in _first.._last loop
    select d.generation, d.at into _delivery
    from willcall.delivery d
    where d.topic_id = _topic_id and d.subscription_id = _subscription_id and d.delivery_no = _delivery_nos[_g]
      and d.nonce = _nonces[_g];

    if found then
      select leased.* into _leased
      from willcall.find_leased(
        _topic_id, _subscription_id, _delivery_nos[_g], _seqs[_entry_firsts[_g]:_entry_lasts[_g]], _now, null
      ) leased;
      with live as (
        select distinct on (entry.seq)
          entry.seq, entry.ref, _leased.attempts[place.index] as attempt, _leased.expiries[place.index] as expires_at
        from unnest(_seqs[_entry_firsts[_g]:_entry_lasts[_g]], _refs[_entry_firsts[_g]:_entry_lasts[_g]])
          with ordinality entry (seq, ref, ord)
        cross join lateral (select width_bucket(entry.seq, _leased.seqs) as index offset 0) place
        where _leased.seqs[place.index] = entry.seq
        order by entry.seq, entry.ord
      ),
      signed as (
        insert into willcall.acknowledgment (
          topic_id, subscription_id, ack_no, seq, delivery_no, published_at, delivered_at, acknowledged_at, generation,
          attempt, body_bytes, late, message_id, body_sha256, acknowledged_by, key_id, published_by, reference,
          reference_salt
        )
        select
          _topic_id, _subscription_id, _tail + row_number() over (order by v.seq), v.seq, _delivery_nos[_g],
          m.published_at, _delivery.at, _at, _delivery.generation, v.attempt, m.body_bytes, v.expires_at <= _now,
          m.message_id, m.body_sha256, _principals[_g], _key_ids[_g], m.published_by, v.ref,
          willcall.make_salt(v.ref)
        from live v
        cross join lateral (
          select m.published_at, m.published_by, m.body_bytes, m.message_id, m.body_sha256
          from willcall.message m
          where m.topic_id = _topic_id and m.seq = v.seq
          limit 1
        ) m
        returning seq, ack_no, message_id, late
      )
      select
        array_agg(s.seq order by s.ack_no), array_agg(s.message_id order by s.ack_no), array_agg(s.late order by s.ack_no)
      into _done, _ids, _lates
      from signed s;

      if _done is not null then
        perform willcall.shrink_lease(_topic_id, _subscription_id, _delivery_nos[_g], _done);
        if not true = any (_lates) then
          outcome := 'acknowledged';
          grp := _g; seqs := _done; message_ids := _ids; ack_no := _tail + 1; acknowledged_at := _at;
          return next;
        else
          for _i in 1..cardinality(_done) loop
            outcome := case when _lates[_i] then 'acknowledged_late' else 'acknowledged' end;
            grp := _g; seqs := _done[_i:_i]; message_ids := _ids[_i:_i]; ack_no := _tail + _i; acknowledged_at := _at;
            return next;
          end loop;
        end if;
        _tail := _tail + cardinality(_done);
      end if;
    else
      _done := null;
    end if;

    continue when cardinality(_done) = _entry_lasts[_g] - _entry_firsts[_g] + 1;

    -- The rest: duplicates of what was just settled, and receipts without a live lease.
    select array_agg(given.entry order by given.entry) into _missed
    from (
      select entry.no as entry, row_number() over (partition by _seqs[entry.no] order by entry.no) as nth
      from generate_series(_entry_firsts[_g], _entry_lasts[_g]) entry (no)
    ) given
    where given.nth > 1
      or _done[width_bucket(_seqs[given.entry], coalesce(_done, '{}'))] is distinct from _seqs[given.entry];

    foreach _entry in array _missed loop
      select * into _verdict from willcall.judge_receipt(
        'acknowledge', _topic_id, _subscription_id, _delivery_nos[_g], _nonces[_g], _seqs[_entry]
      );
      if _verdict.outcome = 'acknowledged_late' then
        _verdict.ack_no := _tail + 1;
        _verdict.acknowledged_at := _at;
        if willcall.acknowledge_late(
          _topic_id, _subscription_id, _at, _tail + 1, _delivery_nos[_g], _seqs[_entry], _verdict.attempt,
          _verdict.dead_letter_no, _principals[_g], _key_ids[_g], _refs[_entry]
        ) then
          _tail := _tail + 1;
        elsif _atomic then
          raise exception 'a receive took a message of an atomic acknowledgment' using errcode = 'serialization_failure';
        else
          _verdict.outcome := 'superseded';
          _verdict.ack_no := null;
          _verdict.acknowledged_at := null;
        end if;
      end if;
      outcome := _verdict.outcome;
      grp := _g; entry := _entry; seqs := null; message_ids := array[_verdict.message_id];
      ack_no := _verdict.ack_no; acknowledged_at := _verdict.acknowledged_at;
      reference := willcall.kept_reference(_topic_id, _subscription_id, outcome, ack_no);
      return next;
      entry := null;
      reference := null;
    end loop;
  end loop;
end
$$;
