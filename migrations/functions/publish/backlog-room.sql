-- backlog_room: how many messages the log may take before the backlog of a subscription exceeds the
-- bound, and which subscription that is; null where there is none. Negative where the bound is
-- exceeded already, because it was lowered or a subscription started far back. Called by publish
-- for topics with a bound, under the topic lock and its planner settings: no subscription is
-- created meanwhile, and heads only move on, which makes room.
-- One probe of delivery_key, backwards, per subscription. Indexes: subscription_key, delivery_key.

create function willcall.backlog_room(
  _topic_id integer,
  _tail bigint,
  _max_backlog integer,
  out room bigint,
  out subscription text
) returns record
language plpgsql
as $$
begin
  select _max_backlog - (_tail - h.head), s.name into room, subscription
  from willcall.subscription s
  cross join lateral (
    select d.head
    from willcall.delivery d
    where d.topic_id = _topic_id and d.subscription_id = s.subscription_id
    order by d.delivery_no desc
    limit 1
  ) h
  where s.topic_id = _topic_id and s.deleted_at is null
  order by h.head
  limit 1;
end
$$;
