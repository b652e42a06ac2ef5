-- find_acknowledgments: the keys of rows over many ledgers, for auditors; ledger by ledger in order
-- of their ids, each in order of ack_no, after a position. A null argument does not narrow. At most
-- _limit rows; where _rows_max rows were looked at before, a row with `matched` false says how far
-- the search has come, and the next call goes on from there: so no call costs more, however rare
-- the matches are. Takes no lock.
-- Indexes: subscription_key; acknowledgment_key for a range of ack_no, acknowledgment_once for one
-- message, acknowledgment_reference for a reference.

create function willcall.find_acknowledgments(
  _after_topic_id integer,
  _after_subscription_id integer,
  _after_ack_no bigint,
  _scopes text[],
  _topic text,
  _from timestamptz,
  _until timestamptz,
  _by text,
  _key_id text,
  _reference text,
  _body_sha256 bytea,
  _message_id bytea,
  _limit integer,
  _rows_max integer
) returns table (topic_id integer, subscription_id integer, public_id text, ack_no bigint, matched boolean)
language plpgsql
stable
rows 100
set enable_seqscan = off
set enable_bitmapscan = off
set enable_hashjoin = off
set enable_mergejoin = off
set enable_material = off
set plan_cache_mode = force_generic_plan
as $$
#variable_conflict use_column
declare
  -- What finding the bounds of one ledger costs, in rows.
  LEDGER_ROWS constant integer := 50;
  _message record;
  _ledger record;
  _after bigint;
  _low bigint;
  _high bigint;
  _nos bigint[];
  _left integer := _limit;
  _budget integer := _rows_max;
  _found integer;
begin
  select located.* into _message from willcall.locate_message(_message_id) located;
  for _ledger in
    select sub.topic_id, sub.subscription_id, sub.public_id
    from willcall.subscription sub
    join willcall.topic top on top.topic_id = sub.topic_id
    where (sub.topic_id, sub.subscription_id) >= (_after_topic_id, _after_subscription_id)
      and (_topic is null or top.name = _topic)
      and (_message_id is null or sub.topic_id = _message.topic_id)
      and (
        _reference is null
        or exists (
          select from willcall.acknowledgment ack
          where ack.reference = _reference and ack.topic_id = sub.topic_id and ack.subscription_id = sub.subscription_id
        )
      )
      and exists (
        select from unnest(_scopes) scope
        where case right(scope, 1) when '*' then starts_with(sub.name, left(scope, -1)) else sub.name = scope end
      )
    order by sub.topic_id, sub.subscription_id
  loop
    _after := 0;
    if _ledger.topic_id = _after_topic_id and _ledger.subscription_id = _after_subscription_id then
      _after := _after_ack_no;
    end if;
    select span.low, span.high into _low, _high
    from willcall.ack_range(_ledger.topic_id, _ledger.subscription_id, _after, _from, _until) span;
    _budget := _budget - LEDGER_ROWS;

    -- One message, or one reference, is found by its index; anything else by looking at rows.
    if _message.seq is not null or _reference is not null then
      _nos := willcall.ack_nos_of(
        _ledger.topic_id, _ledger.subscription_id, _message.seq, _reference, _low, _high, _rows_max
      );
    else
      _high := least(_high, _low + greatest(_budget, 1) - 1);
      _budget := _budget - greatest(_high - _low + 1, 0)::integer;
    end if;
    return query
      select candidate.topic_id, candidate.subscription_id, _ledger.public_id, candidate.ack_no, true
      from (
        select ack.*
        from unnest(_nos) wanted (no)
        cross join lateral (
          select ack.* from willcall.acknowledgment ack
          where ack.topic_id = _ledger.topic_id and ack.subscription_id = _ledger.subscription_id
            and ack.ack_no = wanted.no
          limit 1
        ) ack
        union all
        select ack.*
        from willcall.acknowledgment ack
        where _nos is null and ack.topic_id = _ledger.topic_id and ack.subscription_id = _ledger.subscription_id
          and ack.ack_no >= _low and ack.ack_no <= _high
      ) candidate
      where (_message_id is null or candidate.message_id = _message_id)
        and (_reference is null or candidate.reference = _reference)
        and (_from is null or candidate.acknowledged_at >= _from)
        and (_until is null or candidate.acknowledged_at < _until)
        and (_by is null or candidate.acknowledged_by = _by)
        and (_key_id is null or candidate.key_id = _key_id)
        and (_body_sha256 is null or candidate.body_sha256 = _body_sha256)
      order by candidate.ack_no
      limit _left;
    get diagnostics _found = row_count;
    _left := _left - _found;
    if _left = 0 then
      return;
    end if;
    if _budget <= 0 then
      topic_id := _ledger.topic_id;
      subscription_id := _ledger.subscription_id;
      public_id := _ledger.public_id;
      ack_no := greatest(_high, _low - 1);
      matched := false;
      return next;
      return;
    end if;
  end loop;
end
$$;

-- ack_range: the numbers that a search looks at: above _after, within the ledger, and as far as
-- numbers tell within the time.
create function willcall.ack_range(
  _topic_id integer,
  _subscription_id integer,
  _after bigint,
  _from timestamptz,
  _until timestamptz,
  out low bigint,
  out high bigint
) returns record
language plpgsql
stable
as $$
begin
  select ack.ack_no into low
  from willcall.acknowledgment ack
  where ack.topic_id = _topic_id and ack.subscription_id = _subscription_id
  order by ack.ack_no
  limit 1;
  select ack.ack_no into high
  from willcall.acknowledgment ack
  where ack.topic_id = _topic_id and ack.subscription_id = _subscription_id
  order by ack.ack_no desc
  limit 1;
  low := greatest(low, _after + 1);
  high := coalesce(high, 0);
  if _from is not null then
    low := greatest(low, willcall.first_ack_since(_topic_id, _subscription_id, _from));
  end if;
  if _until is not null then
    high := least(high, willcall.ack_until(_topic_id, _subscription_id, _until) - 1);
  end if;
end
$$;

-- ack_nos_of: the numbers of one message, or else of one reference, within a range.
create function willcall.ack_nos_of(
  _topic_id integer,
  _subscription_id integer,
  _seq bigint,
  _reference text,
  _low bigint,
  _high bigint,
  _limit integer
) returns bigint[]
language plpgsql
stable
as $$
begin
  if _seq is not null then
    return array(
      select ack.ack_no
      from willcall.acknowledgment ack
      where ack.topic_id = _topic_id and ack.subscription_id = _subscription_id and ack.seq = _seq
        and ack.ack_no between _low and _high
      order by ack.ack_no
    );
  end if;
  return array(
    select ack.ack_no
    from willcall.acknowledgment ack
    where ack.reference = _reference and ack.topic_id = _topic_id and ack.subscription_id = _subscription_id
      and ack.ack_no between _low and _high
    order by ack.ack_no
    limit _limit
  );
end
$$;

-- locate_message: the topic and the sequence of a message id; the sequence of a delayed message is
-- known as long as the message is in the log. Nothing without an id.
create function willcall.locate_message(_message_id bytea, out topic_id integer, out seq bigint) returns record
language plpgsql
stable
as $$
#variable_conflict use_column
declare
  _no bigint;
begin
  if _message_id is null then
    return;
  end if;
  topic_id := ('x' || encode(substr(_message_id, 2, 4), 'hex'))::bit(32)::integer;
  _no := ('x' || encode(substr(_message_id, 6, 8), 'hex'))::bit(64)::bigint;
  if get_byte(_message_id, 0) = 1 then
    seq := _no;
  else
    select scheduled.seq into seq
    from willcall.scheduled_sequence scheduled
    where scheduled.topic_id = locate_message.topic_id and scheduled.scheduled_no = _no;
  end if;
end
$$;
