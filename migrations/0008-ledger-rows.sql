-- The ledger's row in its final form: who published the message, which key signed, and what a
-- reference is committed to, so that it can be erased later without breaking what was sealed over
-- the row: sha256 over the byte 2, the salt and the reference. The salt is kept beside the reference;
-- erasing removes both and keeps the digest. Bounds keep out what no other program could read.
-- Rows from before are what they are: the checks hold for those that are written from now on.
-- Locks: access exclusive on acknowledgment for the moment of adding columns; no row is read.

alter table willcall.acknowledgment
  add column published_by text,
  add column key_id text collate "C",
  add column reference_salt bytea,
  add column reference_digest bytea,
  add constraint acknowledgment_names_publisher check (published_by is not null) not valid,
  add constraint acknowledgment_key_id_well_formed check (key_id ~ '^wk_[0-9a-f]{20}$') not valid,
  add constraint acknowledgment_reference_is_salted
    check ((reference is null) = (reference_salt is null) and length(reference_salt) = 16) not valid,
  add constraint acknowledgment_reference_digest_is_of_an_erased_one
    check (reference_digest is null or reference is null and length(reference_digest) = 32) not valid,
  -- The largest whole number that every reader of JSON takes.
  add constraint acknowledgment_no_in_range check (ack_no <= 9007199254740991) not valid,
  add constraint acknowledgment_times_in_range check (
    published_at >= '1970-01-01Z' and published_at < '10000-01-01Z'
    and delivered_at >= '1970-01-01Z' and delivered_at < '10000-01-01Z'
    and acknowledged_at >= '1970-01-01Z' and acknowledged_at < '10000-01-01Z'
  ) not valid;
