-- Names are unique among the living, without partial indexes: an index that holds just the living is, as long as tables are
-- small, a cheap way to find one of them by its key, and a plan made then walks over all of them when they are many. A
-- whole index offers nothing to a lookup that does not ask for a name.
-- Locks: access exclusive on topic and subscription while two small indexes are built.

drop index willcall.topic_living_name;
create unique index topic_living_name on willcall.topic (name, coalesce(deleted_at, 'infinity'));
drop index willcall.subscription_living_name;
create unique index subscription_living_name on willcall.subscription (name, coalesce(deleted_at, 'infinity'));
