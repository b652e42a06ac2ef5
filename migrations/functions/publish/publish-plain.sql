-- publish_plain: appends the calls of many topics to their logs at once, for topics without a
-- backlog bound whose share has no delay, no dedupe key and no body that is too large. A topic that
-- it leaves out has no row in the answer; willcall.publish does it.
-- Locks: topic, by id (take_locks). Indexes: topic_key; message_key backwards, for the tail. Group
-- g is entries [_firsts[g], _lasts[g]]. Bodies come packed in one value: entry i is _body_bytes[i]
-- bytes from _body_starts[i] (1-based). The caller computes the ids from first_seq, its salt and
-- the order.
-- It spans topics, so it is for one PostgreSQL: see docs/decisions/0013.

create function willcall.publish_plain(
  _topic_ids integer[],
  _firsts integer[],
  _lasts integer[],
  _salt bigint,
  _bodies bytea,
  _body_starts integer[],
  _body_bytes integer[],
  _publishers text[],
  _content_types text[],
  _attributes text[],
  _ordering_keys text[]
) returns table (grp integer, outcome text, first_seq bigint)
language plpgsql
rows 10
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
  _mine integer[];
  _now timestamptz;
begin
  _mine := willcall.take_locks(willcall.lock_topic(), _topic_ids);
  if cardinality(_mine) < cardinality(_topic_ids) then
    outcome := 'busy';
    for grp in
      select ids.no from generate_subscripts(_topic_ids, 1) ids (no) where ids.no <> all (_mine)
    loop
      return next;
    end loop;
  end if;
  -- Taken after the locks, so that time never runs backwards in a log.
  _now := clock_timestamp();

  return query
  with topic as materialized (
    select g.no, g.topic_id, g.first, g.last, coalesce(tail.seq, 0) as tail, greatest(_now, tail.published_at) as at
    from unnest(_mine) m (no)
    cross join lateral (
      select m.no, _topic_ids[m.no] as topic_id, _firsts[m.no] as first, _lasts[m.no] as last
    ) g
    cross join lateral (
      select t.max_message_bytes
      from willcall.topic t
      where t.topic_id = g.topic_id and t.deleted_at is null and t.max_backlog is null
      limit 1
    ) t
    cross join lateral (
      select max(e.bytes) as largest from unnest(_body_bytes[g.first:g.last]) e (bytes)
    ) e
    left join lateral (
      select m.seq, m.published_at from willcall.message m where m.topic_id = g.topic_id order by m.seq desc limit 1
    ) tail on true
    where e.largest <= t.max_message_bytes
  ),
  appended as (
    insert into willcall.message (
      topic_id, seq, published_at, body_bytes, message_id, body_sha256, published_by, content_type, attributes,
      ordering_key, body
    )
    select
      t.topic_id, t.tail + e.ord, t.at, e.bytes,
      '\x01'::bytea || int4send(t.topic_id) || int8send(t.tail + e.ord) || int8send(_salt),
      sha256(b.body), e.publisher, e.content_type, e.attributes::jsonb, e.ordering_key, b.body
    from topic t
    cross join lateral unnest(
      _body_starts[t.first:t.last], _body_bytes[t.first:t.last], _publishers[t.first:t.last],
      _content_types[t.first:t.last], _attributes[t.first:t.last], _ordering_keys[t.first:t.last]
    ) with ordinality e (start, bytes, publisher, content_type, attributes, ordering_key, ord)
    cross join lateral (select substring(_bodies from e.start for e.bytes) as body offset 0) b
  )
  select t.no, 'published', t.tail + 1 from topic t;
end
$$;
