-- Idempotency: the keys by which a publisher's repetition is known, and the keys by which a consumer asks again for an
-- answer that it lost.
-- Locks: access exclusive on topic and delivery for the moment of adding a column without rewriting the table; building
-- delivery_receive_key holds off receives, and takes long only where very many deliveries are kept.

alter table willcall.topic add column dedupe_window_seconds integer not null default 86400;
alter table willcall.topic alter column dedupe_window_seconds drop default;
alter table willcall.topic add constraint topic_dedupe_window_in_range
  check (dedupe_window_seconds between 1 and 604800);

-- Keys are only ever added, and forgotten by emptying a whole table: two of them take turns (rotate_dedupe_keys).
create table willcall.dedupe_key_even (
  topic_id integer not null,
  publisher text not null,
  dedupe_key text not null,
  published_at timestamptz not null,
  message_id bytea not null,
  body_sha256 bytea not null,
  constraint dedupe_key_even_key primary key (topic_id, publisher, dedupe_key)
);
create table willcall.dedupe_key_odd (
  topic_id integer not null,
  publisher text not null,
  dedupe_key text not null,
  published_at timestamptz not null,
  message_id bytea not null,
  body_sha256 bytea not null,
  constraint dedupe_key_odd_key primary key (topic_id, publisher, dedupe_key)
);

-- Which of the two is written now, and since when; the other one is read until every key in it is past its window.
create table willcall.dedupe_rotation (
  only_row boolean not null default true,
  turn bigint not null,
  began_at timestamptz not null,
  emptied boolean not null,
  constraint dedupe_rotation_key primary key (only_row),
  constraint dedupe_rotation_one_row check (only_row)
);
insert into willcall.dedupe_rotation (turn, began_at, emptied) values (0, clock_timestamp(), true);

-- The key of a receive that may be asked for again, with its holder. The index is on an expression, so that it cannot
-- serve the lookup of a subscription's last delivery, nor the key of that table this one.
alter table willcall.delivery add column receive_key text;
create index delivery_receive_key
  on willcall.delivery ((topic_id::bigint << 32 | subscription_id), receive_key, delivery_no)
  where receive_key is not null;
