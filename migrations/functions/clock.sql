-- The time of a log: the database's clock, or the last row's time where that is later, so that time
-- does not run backwards when the clock is set back a little. No log is ahead of the clock by more
-- than a second: then its last rows were stamped by a clock that was wrong, the log goes by the
-- clock again, and clock_step records where. See docs/decisions/0026.

-- is_ahead: whether the time of a log's last row is ahead of the clock by more than a log may be.
create function willcall.is_ahead(_last_at timestamptz, _now timestamptz) returns boolean
language sql
stable
as $$
  select coalesce(_last_at > _now + interval '1 second', false)
$$;

-- log_time: the time of the next row; _last_at is the last row's, null when there is none.
create function willcall.log_time(_last_at timestamptz, _now timestamptz) returns timestamptz
language sql
stable
as $$
  select case when willcall.is_ahead(_last_at, _now) then _now else greatest(_now, _last_at) end
$$;

-- note_clock_step: records that the time of a log begins anew at row _no, if it does. Called under
-- the lock of the log, by whatever appends to it. Index: clock_step_key.
create function willcall.note_clock_step(
  _log text,
  _topic_id integer,
  _subscription_id integer,
  _no bigint,
  _last_at timestamptz,
  _at timestamptz
) returns void
language plpgsql
as $$
begin
  if _at < _last_at then
    insert into willcall.clock_step (log, topic_id, subscription_id, no, was_at, at)
    values (_log, _topic_id, _subscription_id, _no, _last_at, _at)
    on conflict do nothing;
  end if;
end
$$;

-- note_message_ahead: the same for a topic's log whose last row is ahead, though nothing follows it
-- yet: from now on it is known that the rows up to there are no younger than that. Index:
-- message_key backwards.
create function willcall.note_message_ahead(_topic_id integer, _now timestamptz) returns void
language plpgsql
set enable_seqscan = off
set enable_bitmapscan = off
set enable_sort = off
as $$
declare
  _tail record;
begin
  select msg.seq, msg.published_at into _tail
  from willcall.message msg
  where msg.topic_id = _topic_id
  order by msg.seq desc
  limit 1;
  if willcall.is_ahead(_tail.published_at, _now) then
    perform willcall.note_clock_step('message', _topic_id, 0, _tail.seq + 1, _tail.published_at, _now);
  end if;
end
$$;

-- entered_at: when a message entered its log, as far as is known: where it was stamped ahead of the
-- clock, before the next clock step. Index: clock_step_key.
create function willcall.entered_at(_topic_id integer, _seq bigint, _published_at timestamptz, _now timestamptz)
returns timestamptz
language plpgsql
stable
set enable_seqscan = off
set enable_bitmapscan = off
set enable_sort = off
as $$
declare
  _step_at timestamptz;
begin
  if willcall.is_ahead(_published_at, _now) then
    select step.at into _step_at
    from willcall.clock_step step
    where step.topic_id = _topic_id and step.subscription_id = 0 and step.log = 'message' and step.no > _seq
    order by step.no
    limit 1;
  end if;
  return least(_published_at, _step_at);
end
$$;
