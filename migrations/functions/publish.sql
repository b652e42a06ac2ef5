-- publish: appends entries [_first, _last] of the flush to one topic's log, or, where they are delayed, to `scheduled`.
-- All of them or none. Lock: topic. Index: message_key, backwards, for the tail.
-- Bodies come packed in one value; entry i is _body_bytes[i] bytes from _body_starts[i] (1-based).
-- _calls[i] says which caller's entry i is, so that a refusal can name the callers whose bodies are too large.
-- _due_ats is null when nothing in the flush is delayed.

create function willcall.publish(
  _topic_id integer,
  _wait boolean,
  _salt bigint,
  _first integer,
  _last integer,
  _calls integer[],
  _bodies bytea,
  _body_starts integer[],
  _body_bytes integer[],
  _publishers text[],
  _content_types text[],
  _attributes text[],
  _ordering_keys text[],
  _delay_seconds double precision[],
  _deliver_ats timestamptz[],
  out outcome text,
  out first_seq bigint,
  out published_at timestamptz,
  out refused_calls integer[],
  out max_message_bytes integer,
  out scheduled_nos bigint[]
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
begin
  if _wait then
    perform pg_advisory_xact_lock(hashtext('willcall.topic'), _topic_id);
  elsif not pg_try_advisory_xact_lock(hashtext('willcall.topic'), _topic_id) then
    outcome := 'busy';
    return;
  end if;

  select t.max_message_bytes into max_message_bytes
  from willcall.topic t
  where t.topic_id = _topic_id and t.deleted_at is null;
  if not found then
    outcome := 'topic_not_found';
    return;
  end if;

  select array_agg(distinct e.call) into refused_calls
  from unnest(_calls[_first:_last], _body_bytes[_first:_last]) e (call, bytes)
  where e.bytes > max_message_bytes;
  if refused_calls is not null then
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
  published_at := greatest(clock_timestamp(), _tail_at);
  outcome := 'published';

  if _delay_seconds is null and _deliver_ats is null then
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

  with entry as (
    select e.*, coalesce(e.deliver_at, publish.published_at + e.delay_seconds * interval '1 second') as due_at
    from unnest(
      _body_starts[_first:_last], _body_bytes[_first:_last], _publishers[_first:_last], _content_types[_first:_last],
      _attributes[_first:_last], _ordering_keys[_first:_last], _delay_seconds[_first:_last], _deliver_ats[_first:_last]
    ) with ordinality e (start, bytes, publisher, content_type, attributes, ordering_key, delay_seconds, deliver_at, ord)
  ),
  prompt as (
    insert into willcall.message (
      topic_id, seq, published_at, body_bytes, message_id, body_sha256, published_by, content_type, attributes,
      ordering_key, body
    )
    select
      _topic_id, n.seq, publish.published_at, n.bytes,
      '\x01'::bytea || int4send(_topic_id) || int8send(n.seq) || int8send(_salt),
      sha256(b.body), n.publisher, n.content_type, n.attributes::jsonb, n.ordering_key, b.body
    from (
      select e.*, first_seq - 1 + row_number() over (order by e.ord) as seq from entry e where e.due_at is null
    ) n
    cross join lateral (select substring(_bodies from n.start for n.bytes) as body) b
  ),
  delayed as (
    insert into willcall.scheduled (
      topic_id, scheduled_no, deliver_at, requested_at, message_id, published_by, content_type, attributes, ordering_key,
      body
    )
    select
      _topic_id, n.scheduled_no, n.due_at, publish.published_at,
      '\x02'::bytea || int4send(_topic_id) || int8send(n.scheduled_no) || int8send(_salt),
      n.publisher, n.content_type, n.attributes::jsonb, n.ordering_key, substring(_bodies from n.start for n.bytes)
    from (
      select o.*, nextval('willcall.scheduled_number') as scheduled_no
      from (select e.* from entry e where e.due_at is not null order by e.ord) o
    ) n
    returning scheduled_no
  )
  select array_agg(d.scheduled_no order by d.scheduled_no) into scheduled_nos from delayed d;
end
$$;
