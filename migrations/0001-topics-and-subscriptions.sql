-- Topics and subscriptions: small tables, read by every verb by primary key, changed by administrators only.
-- A deleted row stays as a tombstone, so that the ledger stays readable; names are unique among the living.
-- Locks: creates new tables only.

create table willcall.topic (
  topic_id integer generated always as identity,
  name text collate "C" not null,
  retention_seconds integer not null,
  retain_acknowledged_seconds integer not null,
  expired_retention_seconds integer not null,
  max_message_bytes integer not null,
  created_at timestamptz not null default clock_timestamp(),
  created_by text not null,
  deleted_at timestamptz,
  deleted_by text,
  constraint topic_key primary key (topic_id),
  constraint topic_retention_is_positive
    check (retention_seconds > 0 and retain_acknowledged_seconds >= 0 and expired_retention_seconds >= 0),
  constraint topic_max_message_bytes_in_range check (max_message_bytes between 1 and 10485760),
  constraint topic_deletion_is_signed check ((deleted_at is null) = (deleted_by is null))
);
create unique index topic_living_name on willcall.topic (name) where deleted_at is null;

create table willcall.subscription (
  topic_id integer not null,
  subscription_id integer generated always as identity,
  name text collate "C" not null,
  start_at text not null,
  start_time timestamptz,
  visibility_timeout_seconds integer not null,
  delay_seconds integer not null,
  max_attempts integer not null,
  max_deliveries integer not null,
  min_backoff_seconds integer not null,
  max_backoff_seconds integer not null,
  max_in_flight integer,
  created_at timestamptz not null default clock_timestamp(),
  created_by text not null,
  deleted_at timestamptz,
  deleted_by text,
  constraint subscription_key primary key (topic_id, subscription_id),
  constraint subscription_topic foreign key (topic_id) references willcall.topic (topic_id),
  constraint subscription_start_known check (start_at in ('earliest', 'latest', 'time')),
  constraint subscription_start_time_given check ((start_at = 'time') = (start_time is not null)),
  constraint subscription_visibility_in_range check (visibility_timeout_seconds between 1 and 43200),
  constraint subscription_delay_not_negative check (delay_seconds >= 0),
  constraint subscription_bounds_positive
    check (max_attempts > 0 and max_deliveries > 0 and (max_in_flight is null or max_in_flight > 0)),
  constraint subscription_backoff_ordered check (0 <= min_backoff_seconds and min_backoff_seconds <= max_backoff_seconds),
  constraint subscription_deletion_is_signed check ((deleted_at is null) = (deleted_by is null))
);
create unique index subscription_living_name on willcall.subscription (name) where deleted_at is null;
create index subscription_name on willcall.subscription (name, subscription_id);
