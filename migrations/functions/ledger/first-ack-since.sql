-- first_ack_since: the number of the first acknowledgment at or after _time; one past the last
-- where there is none. Binary search by probes of acknowledgment_key: numbers are dense and in time
-- order, and pruning removes the lowest only.

create function willcall.first_ack_since(_topic_id integer, _subscription_id integer, _time timestamptz) returns bigint
language plpgsql
stable
set enable_seqscan = off
set enable_bitmapscan = off
set enable_sort = off
as $$
declare
  _low bigint := 1;
  _high bigint;
  _probe record;
begin
  select a.ack_no + 1 into _high
  from willcall.acknowledgment a
  where a.topic_id = _topic_id and a.subscription_id = _subscription_id
  order by a.ack_no desc
  limit 1;
  _high := coalesce(_high, 1);
  -- Invariant: everything below _low is before _time, everything from _high on is not.
  while _low < _high loop
    select a.ack_no, a.acknowledged_at into _probe
    from willcall.acknowledgment a
    where a.topic_id = _topic_id and a.subscription_id = _subscription_id and a.ack_no >= (_low + _high) / 2
    order by a.ack_no
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
