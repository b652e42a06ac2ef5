-- receivable: which of the given subscriptions have something to receive now; the safety poll's one
-- statement for all parked receives. A hint, taken without locks; a receive decides. Indexes:
-- message_key and delivery_key backwards, deferred_queue.

create function willcall.receivable(_topic_ids integer[], _subscription_ids integer[], _deferred_floor timestamptz)
returns table (topic_id integer, subscription_id integer)
language plpgsql
set enable_seqscan = off
set enable_bitmapscan = off
set enable_hashjoin = off
set enable_mergejoin = off
set enable_sort = off
set enable_material = off
set plan_cache_mode = force_generic_plan
as $$
#variable_conflict use_column
declare
  _at timestamptz := clock_timestamp();
begin
  return query
  select w.topic_id, w.subscription_id
  from unnest(_topic_ids, _subscription_ids) w (topic_id, subscription_id)
  where coalesce(
    (select m.seq from willcall.message m where m.topic_id = w.topic_id order by m.seq desc limit 1)
    > (
      select d.head
      from willcall.delivery d
      where d.topic_id = w.topic_id and d.subscription_id = w.subscription_id
      order by d.delivery_no desc
      limit 1
    ),
    false
  )
  or exists (
    select
    from willcall.deferred f
    where (f.topic_id::bigint << 32 | f.subscription_id) = (w.topic_id::bigint << 32 | w.subscription_id)
      and f.available_at > _deferred_floor
      and f.available_at <= _at
    order by f.available_at, f.seq
    limit 1
  );
end
$$;
