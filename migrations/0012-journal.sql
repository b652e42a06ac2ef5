-- The journal of administrative acts: who did what to which topic, subscription or key, and when.
-- Append-only like the ledger: the runtime role may read it and add to it, and nothing else. Entries
-- are numbered without gaps, in the order of their commits, so that a removed one would be missed.
-- Locks: none but on the new table.

create table willcall.journal (
  entry_no bigint not null,
  acted_at timestamptz not null,
  -- The client, and its key; null for the admin key.
  acted_by text not null,
  key_id text collate "C",
  subject text not null,
  action text not null,
  -- The topic's or subscription's name; of a key, its client's.
  name text not null collate "C",
  -- What tells subjects of one name apart.
  subject_id text collate "C",
  -- Of a subscription.
  topic text collate "C",
  -- What was changed, by the names of the columns: all of what is created or deleted.
  before jsonb,
  after jsonb,
  constraint journal_entry_once primary key (entry_no),
  constraint journal_no_in_range check (entry_no between 1 and 9007199254740991),
  constraint journal_time_in_range check (acted_at >= '1970-01-01Z' and acted_at < '10000-01-01Z'),
  constraint journal_subject_well_formed check (subject ~ '^[a-z_]{1,32}$' and action ~ '^[a-z_]{1,32}$'),
  constraint journal_entry_tells_something check (before is not null or after is not null)
);
