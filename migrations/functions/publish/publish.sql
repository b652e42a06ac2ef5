-- publish: appends entries [_first, _last] of the flush to one topic's log or, where they are
-- delayed, to `scheduled`: all of them or none. Lock: topic. Index: message_key backwards, for the
-- tail. Bodies come packed in one value: entry i is _body_bytes[i] bytes from _body_starts[i]
-- (1-based). When an entry is refused, nothing is done and the refused entries are returned, so
-- that the caller can publish the other calls. Where the topic bounds its backlog and there is no
-- room for the flush, the entries that would enter the log are returned, with the room; duplicates
-- and delayed entries do not enter it.
-- Without keys and delays the caller computes the ids from first_seq, its salt and the order.
-- Otherwise they are returned by entry, with the sequence (null while delayed) and whether the
-- entry is a duplicate.

create function willcall.publish(
  _topic_id integer,
  _wait boolean,
  _salt bigint,
  _first integer,
  _last integer,
  _bodies bytea,
  _body_starts integer[],
  _body_bytes integer[],
  _publishers text[],
  _content_types text[],
  _attributes text[],
  _ordering_keys text[],
  _delay_seconds double precision[],
  _deliver_ats timestamptz[],
  _dedupe_keys text[],
  out outcome text,
  out first_seq bigint,
  out published_at timestamptz,
  out refused_entries integer[],
  out max_message_bytes integer,
  out message_ids bytea[],
  out seqs bigint[],
  out duplicates boolean[],
  out room bigint,
  out furthest_behind text
) returns record
language plpgsql
set enable_seqscan = off
set enable_bitmapscan = off
set enable_sort = off
set plan_cache_mode = force_generic_plan
as $$
declare
  _tail bigint;
  _tail_at timestamptz;
  _window interval;
  _max_backlog integer;
  _full boolean := false;
begin
  if not willcall.take_lock(willcall.lock_topic(), _topic_id, _wait) then
    outcome := 'busy';
    return;
  end if;

  select t.max_message_bytes, t.dedupe_window_seconds * interval '1 second', t.max_backlog
  into max_message_bytes, _window, _max_backlog
  from willcall.topic t
  where t.topic_id = _topic_id and t.deleted_at is null;
  if not found then
    outcome := 'topic_not_found';
    return;
  end if;

  select array_agg(e.ord) into refused_entries
  from unnest(_body_bytes[_first:_last]) with ordinality e (bytes, ord)
  where e.bytes > max_message_bytes;
  if refused_entries is not null then
    outcome := 'message_too_large';
    return;
  end if;

  select m.seq, m.published_at into _tail, _tail_at
  from willcall.message m
  where m.topic_id = _topic_id
  order by m.seq desc
  limit 1;
  first_seq := coalesce(_tail, 0) + 1;
  -- Taken after the lock, so that time never runs backwards in the log.
  published_at := willcall.log_time(_tail_at, clock_timestamp());
  perform willcall.note_clock_step('message', _topic_id, 0, first_seq, _tail_at, published_at);
  outcome := 'published';
  if _max_backlog is not null then
    select r.room, r.subscription into room, furthest_behind
    from willcall.backlog_room(_topic_id, coalesce(_tail, 0), _max_backlog) r;
  end if;

  if _delay_seconds is null and _deliver_ats is null and _dedupe_keys is null then
    if _last - _first + 1 > room then
      outcome := 'backlog_full';
      select array_agg(n) into refused_entries from generate_series(1, _last - _first + 1) n;
      return;
    end if;
    insert into willcall.message (
      topic_id, seq, published_at, body_bytes, message_id, body_sha256, published_by, content_type, attributes,
      ordering_key, body
    )
    select
      _topic_id, first_seq + e.ord - 1, publish.published_at, e.bytes,
      '\x01'::bytea || int4send(_topic_id) || int8send(first_seq + e.ord - 1) || int8send(_salt),
      sha256(b.body), e.publisher, e.content_type, e.attributes::jsonb, e.ordering_key, b.body
    from unnest(
      _body_starts[_first:_last], _body_bytes[_first:_last], _publishers[_first:_last], _content_types[_first:_last],
      _attributes[_first:_last], _ordering_keys[_first:_last]
    ) with ordinality e (start, bytes, publisher, content_type, attributes, ordering_key, ord)
    cross join lateral (select substring(_bodies from e.start for e.bytes) as body) b;
    return;
  end if;

  select p.refused_entries, p.message_ids, p.seqs, p.duplicates, p.is_full
  into refused_entries, message_ids, seqs, duplicates, _full
  from willcall.publish_each(
    _topic_id, _salt, first_seq, publish.published_at, _window, _bodies, _body_starts[_first:_last],
    _body_bytes[_first:_last], _publishers[_first:_last], _content_types[_first:_last], _attributes[_first:_last],
    _ordering_keys[_first:_last], _delay_seconds[_first:_last], _deliver_ats[_first:_last], _dedupe_keys[_first:_last],
    room
  ) p;
  if refused_entries is not null then
    outcome := case when _full then 'backlog_full' else 'idempotency_conflict' end;
  end if;
end
$$;
