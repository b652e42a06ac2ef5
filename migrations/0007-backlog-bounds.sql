-- A topic may bound the backlog of its subscriptions: a publish that would make one of them larger is refused. Null is no
-- bound.
-- Locks: access exclusive on topic for the moment of adding a column; the check reads its few rows.

alter table willcall.topic add column max_backlog integer;
alter table willcall.topic add constraint topic_max_backlog_positive check (max_backlog > 0);
