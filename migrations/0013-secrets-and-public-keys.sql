-- For proofs other than a key's text: which instance secret an API key's derived secret is made with,
-- and public keys that its holder signs with. The secret itself is in no table: what is kept of it is a
-- value that only its holder can compute, so that an instance with another one notices at its start.
-- Locks: access exclusive on api_key for the moment of adding columns; no row is rewritten.

create table willcall.secret_version (
  version smallint not null,
  check_value bytea not null,
  since timestamptz not null default clock_timestamp(),
  constraint secret_version_key primary key (version),
  constraint secret_version_once unique (check_value),
  constraint secret_version_positive check (version > 0),
  constraint secret_version_check_whole check (length(check_value) = 32)
);

alter table willcall.api_key
  -- Null: nothing is derived for it.
  add column secret_version smallint,
  -- JSON Web Keys; null: none.
  add column public_keys jsonb,
  add constraint api_key_secret_version_positive check (secret_version > 0),
  add constraint api_key_public_keys_listed check (
    jsonb_typeof(public_keys) = 'array' and jsonb_array_length(public_keys) between 1 and 8
  );
