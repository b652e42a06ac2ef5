-- The log, the delivery log, what is outstanding, and the ledger. What happened is appended; state is derived from it.
-- Every key begins with topic_id, so that the schema can be distributed by it. See docs/architecture.md.
-- Locks: creates new tables only.

-- The topic's log. Its tail is its last row, which is never pruned.
create table willcall.message (
  topic_id integer not null,
  seq bigint not null,
  published_at timestamptz not null,
  body_bytes integer not null,
  message_id bytea not null,
  body_sha256 bytea not null,
  published_by text not null,
  content_type text,
  attributes jsonb,
  ordering_key text,
  body bytea not null,
  constraint message_key primary key (topic_id, seq),
  constraint message_seq_positive check (seq > 0)
);

-- The subscription's log: everything that moved its cursor. The head is on its last row, which is never pruned.
create table willcall.delivery (
  topic_id integer not null,
  subscription_id integer not null,
  delivery_no bigint not null,
  head bigint not null,
  at timestamptz not null,
  nonce bigint,
  generation integer not null,
  kind text not null,
  principal text not null,
  handed int8multirange,
  constraint delivery_key primary key (topic_id, subscription_id, delivery_no),
  constraint delivery_kind_known check (kind in ('start', 'deliver', 'skip', 'seek', 'purge', 'expire')),
  constraint delivery_hands_something_out check ((kind = 'deliver') = (nonce is not null) and (kind <> 'deliver' or handed is not null)),
  constraint delivery_head_not_negative check (head >= 0)
);

-- What is outstanding of a delivery. Rows are homogeneous: one attempt number, one count of failures, one expiry.
-- No second index may start with (topic_id, subscription_id): it could serve the key's lookups worse.
create table willcall.lease (
  topic_id integer not null,
  subscription_id integer not null,
  delivery_no bigint not null,
  lease_no integer not null,
  attempt integer not null,
  failures integer not null,
  expires_at timestamptz not null,
  outstanding int8multirange not null,
  constraint lease_key primary key (topic_id, subscription_id, delivery_no, lease_no),
  constraint lease_holds_something check (not isempty(outstanding)),
  constraint lease_counts_add_up check (attempt > 0 and failures >= 0 and failures < attempt)
) with (fillfactor = 70, autovacuum_vacuum_scale_factor = 0.02, autovacuum_vacuum_cost_delay = 0);
create index lease_expires_at on willcall.lease (expires_at);

-- Messages that wait for another attempt. The queue's index is on an expression, so that neither index can serve the
-- other's lookups, whatever the statistics say.
create table willcall.deferred (
  topic_id integer not null,
  subscription_id integer not null,
  seq bigint not null,
  available_at timestamptz not null,
  attempt integer not null,
  failures integer not null,
  constraint deferred_key primary key (topic_id, subscription_id, seq),
  constraint deferred_counts_add_up check (attempt > 0 and failures between 0 and attempt)
) with (fillfactor = 70, autovacuum_vacuum_scale_factor = 0.02, autovacuum_vacuum_cost_delay = 0);
create index deferred_queue on willcall.deferred ((topic_id::bigint << 32 | subscription_id), available_at, seq);
create index deferred_available_at on willcall.deferred (available_at);

-- One row per attempt that did not end in an acknowledgment, with what became of the message then.
create table willcall.failure (
  topic_id integer not null,
  subscription_id integer not null,
  seq bigint not null,
  generation integer not null,
  attempt integer not null,
  delivery_no bigint not null,
  delivered_at timestamptz not null,
  ended_at timestamptz not null,
  ended text not null,
  ended_by text,
  error_code text,
  error_message text,
  dead_letter_no bigint,
  constraint failure_key primary key (topic_id, subscription_id, seq, generation, attempt),
  constraint failure_ended_known check (ended in ('expired', 'released', 'rejected'))
);

-- The ledger: one row per acknowledgment. It stands on its own after the message was pruned. The runtime role may insert
-- and select, nothing else; the unique key lets a message be acknowledged once, unless it was sought back.
create table willcall.acknowledgment (
  topic_id integer not null,
  subscription_id integer not null,
  ack_no bigint not null,
  seq bigint not null,
  delivery_no bigint not null,
  published_at timestamptz not null,
  delivered_at timestamptz not null,
  acknowledged_at timestamptz not null,
  generation integer not null,
  attempt integer not null,
  body_bytes integer not null,
  revision integer not null default 0,
  late boolean not null,
  message_id bytea not null,
  body_sha256 bytea not null,
  acknowledged_by text not null,
  reference text,
  constraint acknowledgment_key primary key (topic_id, subscription_id, ack_no),
  constraint acknowledgment_once unique (topic_id, subscription_id, seq, generation),
  constraint acknowledgment_no_positive check (ack_no > 0),
  constraint acknowledgment_digest_whole check (length(body_sha256) = 32)
);

-- Quarantined messages, each with a full copy and its history, and ranges that outlived their retention undelivered.
create table willcall.dead_letter (
  topic_id integer not null,
  subscription_id integer not null,
  dead_letter_no bigint generated always as identity,
  reason text not null,
  dead_at timestamptz not null,
  seq bigint not null,
  seq_last bigint not null,
  message_count bigint not null,
  generation integer not null,
  attempts integer,
  message_id bytea,
  published_at timestamptz,
  published_by text,
  content_type text,
  attributes jsonb,
  ordering_key text,
  body_bytes integer,
  body_sha256 bytea,
  body bytea,
  history jsonb not null default '[]',
  closed_at timestamptz,
  closed_by text,
  closed_as text,
  constraint dead_letter_key primary key (topic_id, subscription_id, dead_letter_no),
  constraint dead_letter_reason_known
    check (reason in ('max_attempts', 'max_deliveries', 'rejected', 'retention', 'expired')),
  constraint dead_letter_range_or_copy
    check ((reason = 'expired') = (body is null) and (reason = 'expired' or seq = seq_last) and seq <= seq_last),
  constraint dead_letter_closing_is_signed
    check ((closed_at is null) = (closed_as is null) and (closed_at is null) = (closed_by is null))
);
create index dead_letter_open on willcall.dead_letter (topic_id, subscription_id, dead_letter_no) where closed_at is null;
create index dead_letter_expired on willcall.dead_letter (topic_id, dead_at) where reason = 'expired';

-- Published, not yet due, not yet in the log.
create sequence willcall.scheduled_number;
create table willcall.scheduled (
  topic_id integer not null,
  scheduled_no bigint not null,
  deliver_at timestamptz not null,
  requested_at timestamptz not null,
  message_id bytea not null,
  published_by text not null,
  content_type text,
  attributes jsonb,
  ordering_key text,
  body bytea not null,
  constraint scheduled_key primary key (topic_id, scheduled_no)
) with (autovacuum_vacuum_scale_factor = 0.02);
create index scheduled_deliver_at on willcall.scheduled (deliver_at);

-- Which sequence a scheduled message got when it entered the log; pruned with it.
create table willcall.scheduled_sequence (
  topic_id integer not null,
  scheduled_no bigint not null,
  seq bigint not null,
  constraint scheduled_sequence_key primary key (topic_id, scheduled_no)
);

-- What a subscription had settled at an instant: everything up to settled_seq. Pruning reads the newest one that is as
-- old as the topic keeps acknowledged messages. No lease below lease_floor lives, for scans over leases.
create table willcall.settled_mark (
  topic_id integer not null,
  subscription_id integer not null,
  marked_at timestamptz not null,
  settled_seq bigint not null,
  lease_floor bigint not null,
  constraint settled_mark_key primary key (topic_id, subscription_id, marked_at)
);

-- How long the ledger is kept; null is for ever. The owner's: the runtime role may only read it (docs/operations.md).
create table willcall.ledger_policy (
  only_row boolean not null default true,
  retention_seconds bigint,
  constraint ledger_policy_key primary key (only_row),
  constraint ledger_policy_one_row check (only_row),
  constraint ledger_policy_retention_positive check (retention_seconds > 0)
);
insert into willcall.ledger_policy (retention_seconds) values (null);
