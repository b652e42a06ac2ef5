-- API keys: who may call, with which roles, until when. Of a secret only its hash is kept. A revoked key stays as a row:
-- records name its client, and somebody will ask who let it in. Few rows, read by primary key.
-- Locks: creates a new table only.

create table willcall.api_key (
  key_id text collate "C" not null,
  client text collate "C" not null,
  roles jsonb not null,
  secret_sha256 bytea not null,
  expires_at timestamptz,
  created_at timestamptz not null default clock_timestamp(),
  created_by text not null,
  revoked_at timestamptz,
  revoked_by text,
  last_used_at timestamptz,
  constraint api_key_key primary key (key_id),
  constraint api_key_id_well_formed check (key_id ~ '^wk_[0-9a-f]{20}$'),
  constraint api_key_client_named check (client <> ''),
  constraint api_key_has_roles check (jsonb_typeof(roles) = 'array' and jsonb_array_length(roles) > 0),
  constraint api_key_digest_whole check (length(secret_sha256) = 32),
  constraint api_key_revocation_is_signed check ((revoked_at is null) = (revoked_by is null))
) with (fillfactor = 80);
create index api_key_client on willcall.api_key (client, key_id);
