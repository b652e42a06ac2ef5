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
