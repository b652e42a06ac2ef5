-- One row per message: inserted by publish, updated by receive, deleted by acknowledge. The
-- settings are those that such tables are usually given: room on each page for updated versions,
-- and vacuum after a fiftieth has changed. The ledger holds what Willcall's holds of an
-- acknowledgment, as far as this design knows it.

create table queue (
  queue_id int generated always as identity primary key,
  name text not null unique
);

create table message (
  queue_id int not null,
  id bigint generated always as identity,
  visible_at timestamptz not null default now(),
  attempts int not null default 0,
  lease uuid,
  published_at timestamptz not null default now(),
  content_type text not null,
  attributes jsonb,
  ordering_key text,
  body bytea not null,
  body_sha256 bytea not null,
  primary key (queue_id, id)
) with (fillfactor = 80, autovacuum_vacuum_scale_factor = 0.02);

-- Serves receive: what is visible, the longest waiting first.
create index on message (queue_id, visible_at, id);

create table acknowledgment (
  queue_id int not null,
  id bigint not null,
  attempt int not null,
  lease uuid not null,
  published_at timestamptz not null,
  body_sha256 bytea not null,
  body_bytes int not null,
  acknowledged_at timestamptz not null default now(),
  acknowledged_by text not null,
  primary key (queue_id, id)
);
