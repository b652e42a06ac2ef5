-- Public ids of topics and subscriptions: a name can be used again after a deletion, an id never is.
-- By them a ledger is told from its successor's. Lookups by id read an index of their own.
-- Locks: access exclusive on topic and subscription, which are rewritten; they are small.

alter table willcall.topic
  add column public_id text collate "C" not null default 'top_' || replace(gen_random_uuid()::text, '-', ''),
  add constraint topic_public_id_well_formed check (public_id ~ '^top_[0-9a-f]{32}$');
create unique index topic_public_id on willcall.topic (public_id);
alter table willcall.subscription
  add column public_id text collate "C" not null default 'sub_' || replace(gen_random_uuid()::text, '-', ''),
  add constraint subscription_public_id_well_formed check (public_id ~ '^sub_[0-9a-f]{32}$');
create unique index subscription_public_id on willcall.subscription (public_id);
