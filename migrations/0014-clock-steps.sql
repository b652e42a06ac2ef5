-- Clock steps: where a log's time begins anew, because the database's clock had been ahead.
-- The rows of a log up to `no` - 1 were stamped by a clock that was ahead by more than a second; the
-- last of them says `was_at`. From `no` on the log goes by the clock again. Rows are never changed.
-- Locks: none but on the new table.

create table willcall.clock_step (
  log text collate "C" not null,
  topic_id integer not null,
  -- 0 for the log of a topic.
  subscription_id integer not null,
  no bigint not null,
  was_at timestamptz not null,
  at timestamptz not null,
  constraint clock_step_key primary key (topic_id, subscription_id, log, no),
  constraint clock_step_log_known check (log in ('message', 'delivery', 'acknowledgment')),
  constraint clock_step_is_backwards check (at < was_at)
);
