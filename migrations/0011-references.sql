-- An auditor finds an acknowledgment by its transaction number over all ledgers. Only rows with a
-- reference are in the index, so that the others pay nothing for it.
-- Locks: share on acknowledgment while the index is built, which holds off acknowledgments for about
-- a second per million rows that have a reference.

create index acknowledgment_reference
  on willcall.acknowledgment (reference, topic_id, subscription_id, ack_no)
  where reference is not null;
