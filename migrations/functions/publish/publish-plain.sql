-- publish_plain: appends the calls of many topics to their logs at once, for topics without a
-- backlog bound whose share has no delay, no dedupe key and no body that is too large, and whose
-- time is not ahead of the clock (clock.sql). A topic that
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
    select share.no, share.topic_id, share.first, share.last, coalesce(tail.seq, 0) as tail,
      greatest(_now, tail.published_at) as at
    from unnest(_mine) mine (no)
    cross join lateral (
      select mine.no, _topic_ids[mine.no] as topic_id, _firsts[mine.no] as first, _lasts[mine.no] as last
    ) share
    cross join lateral (
      select topic.max_message_bytes
      from willcall.topic
      where topic.topic_id = share.topic_id and topic.deleted_at is null and topic.max_backlog is null
      limit 1
    ) topic
    cross join lateral (
      select max(entry.bytes) as largest from unnest(_body_bytes[share.first:share.last]) entry (bytes)
    ) entry
    left join lateral (
      select msg.seq, msg.published_at from willcall.message msg where msg.topic_id = share.topic_id
      order by msg.seq desc limit 1
    ) tail on true
    where entry.largest <= topic.max_message_bytes and not willcall.is_ahead(tail.published_at, _now)
  ),
  appended as (
    insert into willcall.message (
      topic_id, seq, published_at, body_bytes, message_id, body_sha256, published_by, content_type, attributes,
      ordering_key, body
    )
    select
      topic.topic_id, topic.tail + entry.ord, topic.at, entry.bytes,
      '\x01'::bytea || int4send(topic.topic_id) || int8send(topic.tail + entry.ord) || int8send(_salt),
      sha256(data.body), entry.publisher, entry.content_type, entry.attributes::jsonb, entry.ordering_key,
      data.body
    from topic
    cross join lateral unnest(
      _body_starts[topic.first:topic.last], _body_bytes[topic.first:topic.last],
      _publishers[topic.first:topic.last],
      _content_types[topic.first:topic.last], _attributes[topic.first:topic.last],
      _ordering_keys[topic.first:topic.last]
    ) with ordinality entry (start, bytes, publisher, content_type, attributes, ordering_key, ord)
    cross join lateral (select substring(_bodies from entry.start for entry.bytes) as body offset 0) data
  )
  select topic.no, 'published', topic.tail + 1 from topic;
end
$$;
