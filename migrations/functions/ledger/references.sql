-- References of the ledger: the salt that a new one is kept with, and what an older row has.

-- make_salt: 16 random bytes for a reference; null without one. Inlined by the planner.
create function willcall.make_salt(_reference text) returns bytea
language sql
volatile
as $$
  select case when _reference is not null then uuid_send(gen_random_uuid()) end
$$;

-- kept_reference: the reference of a message that was acknowledged before; null for other outcomes.
-- Index: acknowledgment_key.
create function willcall.kept_reference(
  _topic_id integer,
  _subscription_id integer,
  _outcome text,
  _ack_no bigint
) returns text
language sql
stable
as $$
  select ack.reference
  from willcall.acknowledgment ack
  where _outcome = 'already_acknowledged'
    and ack.topic_id = _topic_id and ack.subscription_id = _subscription_id and ack.ack_no = _ack_no
$$;
