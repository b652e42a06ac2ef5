-- What the runtime role may do: everything that the verbs need, and nothing to the ledger and the
-- journal but read and append. The owner's functions are its only other way in; re-applied with the
-- functions.

grant usage on schema willcall to willcall_runtime;
grant usage on sequence willcall.scheduled_number to willcall_runtime;
grant select, insert, update on willcall.topic, willcall.subscription to willcall_runtime;
-- A key's roles and hash are as they were made; it can be revoked and used, never changed or
-- deleted.
grant select, insert, update (revoked_at, revoked_by, last_used_at) on willcall.api_key to willcall_runtime;
grant select, insert, delete on
  willcall.message, willcall.delivery, willcall.failure, willcall.scheduled_sequence, willcall.settled_mark
  to willcall_runtime;
grant select, insert, update, delete on willcall.lease, willcall.deferred, willcall.scheduled, willcall.dead_letter
  to willcall_runtime;
grant select, insert on willcall.clock_step to willcall_runtime;
grant update (dead_letter_no) on willcall.failure to willcall_runtime;
grant select on willcall.ledger_policy to willcall_runtime;
-- So that a start can see that there is nothing to migrate.
grant select on willcall.migration, willcall.function_text to willcall_runtime;
grant select, insert, update on willcall.dedupe_key_even, willcall.dedupe_key_odd to willcall_runtime;
grant truncate on willcall.dedupe_key_even, willcall.dedupe_key_odd to willcall_runtime;
grant select, update on willcall.dedupe_rotation to willcall_runtime;
revoke all on willcall.acknowledgment from willcall_runtime;
grant select, insert on willcall.acknowledgment to willcall_runtime;
-- Versions of the secret key are added and never changed.
grant select, insert on willcall.secret_version to willcall_runtime;
revoke all on willcall.journal from willcall_runtime;
grant select, insert on willcall.journal to willcall_runtime;
revoke all on all functions in schema willcall from public;
grant execute on all functions in schema willcall to willcall_runtime;
