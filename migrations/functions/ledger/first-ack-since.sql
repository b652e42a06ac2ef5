-- Numbers of a ledger by time. Numbers are dense, pruning removes the lowest only, and from one
-- clock step to the next they are in time order: so each stretch is searched by halving.

-- first_ack_since: the number of the first acknowledgment at or after _time; one past the last
-- where there is none. Those after it may be older where a clock step lies between.
create function willcall.first_ack_since(_topic_id integer, _subscription_id integer, _time timestamptz) returns bigint
language plpgsql
stable
as $$
declare
  _bounds bigint[] := willcall.ack_stretches(_topic_id, _subscription_id);
  _found bigint;
begin
  for _i in 2..cardinality(_bounds) loop
    _found := willcall.first_ack_within(_topic_id, _subscription_id, _bounds[_i - 1], _bounds[_i], _time);
    exit when _found < _bounds[_i];
  end loop;
  return _found;
end
$$;

-- ack_until: one past the number of the last acknowledgment before _time. Those before it may be
-- younger where a clock step lies between.
create function willcall.ack_until(_topic_id integer, _subscription_id integer, _time timestamptz) returns bigint
language plpgsql
stable
as $$
declare
  _bounds bigint[] := willcall.ack_stretches(_topic_id, _subscription_id);
  _found bigint;
begin
  for _i in reverse cardinality(_bounds)..2 loop
    _found := willcall.first_ack_within(_topic_id, _subscription_id, _bounds[_i - 1], _bounds[_i], _time);
    exit when _found > _bounds[_i - 1];
  end loop;
  return _found;
end
$$;

-- ack_stretches: the numbers with which stretches in time order begin, and one past the last
-- number. Indexes: clock_step_key, acknowledgment_key backwards.
create function willcall.ack_stretches(_topic_id integer, _subscription_id integer) returns bigint[]
language plpgsql
stable
set enable_seqscan = off
set enable_bitmapscan = off
set enable_sort = off
as $$
declare
  _end bigint;
begin
  select ack.ack_no + 1 into _end
  from willcall.acknowledgment ack
  where ack.topic_id = _topic_id and ack.subscription_id = _subscription_id
  order by ack.ack_no desc
  limit 1;
  return array[1::bigint] || array(
    select step.no
    from willcall.clock_step step
    where step.topic_id = _topic_id and step.subscription_id = _subscription_id
      and step.log = 'acknowledgment' and step.no < _end
    order by step.no
  ) || coalesce(_end, 1);
end
$$;

-- first_ack_within: the first number of [_low, _high) at or after _time; else _high. By probes of
-- acknowledgment_key, in a stretch that is in time order.
create function willcall.first_ack_within(
  _topic_id integer,
  _subscription_id integer,
  _low bigint,
  _high bigint,
  _time timestamptz
) returns bigint
language plpgsql
stable
set enable_seqscan = off
set enable_bitmapscan = off
set enable_sort = off
as $$
declare
  _probe record;
begin
  -- Invariant: everything below _low is before _time, everything from _high on is not.
  while _low < _high loop
    select ack.ack_no, ack.acknowledged_at into _probe
    from willcall.acknowledgment ack
    where ack.topic_id = _topic_id and ack.subscription_id = _subscription_id and ack.ack_no >= (_low + _high) / 2
    order by ack.ack_no
    limit 1;
    if _probe.acknowledged_at < _time then
      _low := _probe.ack_no + 1;
    else
      _high := (_low + _high) / 2;
    end if;
  end loop;
  return _low;
end
$$;
