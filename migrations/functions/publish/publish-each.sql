-- publish_each: publish where entries differ: some are delayed, some have a dedupe key. Called by
-- publish under the topic lock and its planner settings, with the slices of its flush. An entry
-- whose key is known, from before or from an earlier entry of the flush, is a duplicate and is not
-- published again. The same key with another body is a conflict: then nothing is published and the
-- conflicting entries are returned. So are the entries that would enter the log, where there is
-- room for fewer (_room; null without a bound).

create function willcall.publish_each(
  _topic_id integer,
  _salt bigint,
  _first_seq bigint,
  _at timestamptz,
  _window interval,
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
  _room bigint,
  out refused_entries integer[],
  out message_ids bytea[],
  out seqs bigint[],
  out duplicates boolean[],
  out is_full boolean
) returns record
language plpgsql
as $$
declare
  _turn bigint;
  _digests bytea[];
  _known record;
  _originals integer[];
begin
  -- What is due already is as if it had no delay.
  if _deliver_ats is not null then
    select array_agg(case when given.at > _at then given.at end order by given.ord) into _deliver_ats
    from unnest(_deliver_ats) with ordinality given (at, ord);
  end if;
  select array_agg(sha256(substring(_bodies from entry.start for entry.bytes)) order by entry.ord) into _digests
  from unnest(_body_starts, _body_bytes) with ordinality entry (start, bytes, ord);

  if _dedupe_keys is not null then
    select known.turn, known.message_ids, known.digests into _known
    from willcall.recall_keys(_topic_id, _at, _window, _publishers, _dedupe_keys) known;
    _turn := _known.turn;
    -- By entry, the first entry of the flush with its key and publisher; itself without a key.
    select array_agg(found.original order by found.ord) into _originals
    from (
      select entry.ord, case
          when entry.dedupe_key is null then entry.ord
          else min(entry.ord) over (partition by entry.publisher, entry.dedupe_key, entry.dedupe_key is null)
        end as original
      from unnest(_publishers, _dedupe_keys) with ordinality entry (publisher, dedupe_key, ord)
    ) found;
    select array_agg(entry.ord order by entry.ord) into refused_entries
    from unnest(_digests, _known.digests, _originals) with ordinality entry (digest, known_digest, original, ord)
    where entry.digest <> coalesce(entry.known_digest, _digests[entry.original]);
    if refused_entries is not null then
      return;
    end if;
    message_ids := _known.message_ids;
  end if;

  if _room is not null then
    select array_agg(entry.ord order by entry.ord) into refused_entries
    from unnest(_body_bytes, message_ids, _originals, _delay_seconds, _deliver_ats)
      with ordinality entry (bytes, known_id, original, delay_seconds, deliver_at, ord)
    where entry.known_id is null and coalesce(entry.original, entry.ord) = entry.ord
      and entry.delay_seconds is null and entry.deliver_at is null;
    is_full := cardinality(refused_entries) > _room;
    if is_full then
      return;
    end if;
    refused_entries := null;
  end if;

  with entry as (
    select
      entry.*, coalesce(entry.deliver_at, _at + entry.delay_seconds * interval '1 second') as due_at,
      entry.known_id is null and coalesce(entry.original, entry.ord) = entry.ord as fresh
    from unnest(
      _body_starts, _body_bytes, _publishers, _content_types, _attributes, _ordering_keys, _delay_seconds,
      _deliver_ats, _digests, message_ids, _originals
    ) with ordinality entry (
      start, bytes, publisher, content_type, attributes, ordering_key, delay_seconds, deliver_at, digest, known_id,
      original, ord
    )
  ),
  numbered as (
    select
      entry.*,
      case
        when entry.due_at is null
          then _first_seq - 1 + row_number() over (partition by entry.due_at is null order by entry.ord)
      end as seq,
      case when entry.due_at is not null then nextval('willcall.scheduled_number') end as scheduled_no
    from entry
    where entry.fresh
  ),
  identified as (
    select
      numbered.*,
      case when numbered.seq is null then '\x02'::bytea else '\x01'::bytea end || int4send(_topic_id)
        || int8send(coalesce(numbered.seq, numbered.scheduled_no)) || int8send(_salt) as message_id
    from numbered
  ),
  prompt as (
    insert into willcall.message (
      topic_id, seq, published_at, body_bytes, message_id, body_sha256, published_by, content_type, attributes,
      ordering_key, body
    )
    select
      _topic_id, msg.seq, _at, msg.bytes, msg.message_id, msg.digest, msg.publisher, msg.content_type,
      msg.attributes::jsonb, msg.ordering_key, substring(_bodies from msg.start for msg.bytes)
    from identified msg
    where msg.seq is not null
    order by msg.seq
  ),
  delayed as (
    insert into willcall.scheduled (
      topic_id, scheduled_no, deliver_at, requested_at, message_id, published_by, content_type, attributes,
      ordering_key, body
    )
    select
      _topic_id, msg.scheduled_no, msg.due_at, _at, msg.message_id, msg.publisher, msg.content_type,
      msg.attributes::jsonb, msg.ordering_key, substring(_bodies from msg.start for msg.bytes)
    from identified msg
    where msg.seq is null
  )
  select
    array_agg(coalesce(entry.known_id, msg.message_id, orig.message_id) order by entry.ord),
    array_agg(coalesce(msg.seq, orig.seq) order by entry.ord),
    array_agg(not entry.fresh order by entry.ord)
  into message_ids, seqs, duplicates
  from entry
  left join lateral (select msg.message_id, msg.seq from identified msg where msg.ord = entry.ord limit 1) msg on true
  left join lateral (
    select msg.message_id, msg.seq from identified msg where not entry.fresh and msg.ord = entry.original limit 1
  ) orig on true;

  if _dedupe_keys is null then
    return;
  end if;
  perform willcall.remember_keys(
    _turn, _topic_id, _at, _publishers,
    (select array_agg(case when not given.duplicate then known.dedupe_key end order by known.ord)
      from unnest(_dedupe_keys) with ordinality known (dedupe_key, ord)
      cross join lateral (select duplicates[known.ord] as duplicate) given),
    message_ids, _digests
  );
  -- A duplicate's sequence is in its id; if it was delayed, in scheduled_sequence once it entered
  -- the log.
  select array_agg(
    case
      when not entry.duplicate or entry.seq is not null then entry.seq
      when get_byte(entry.message_id, 0) = 1 then willcall.message_number(entry.message_id)
      else (
        select scheduled.seq
        from willcall.scheduled_sequence scheduled
        where scheduled.topic_id = _topic_id and scheduled.scheduled_no = willcall.message_number(entry.message_id)
      )
    end
    order by entry.ord
  )
  into seqs
  from unnest(message_ids, seqs, duplicates) with ordinality entry (message_id, seq, duplicate, ord);
end
$$;

-- recall_keys: by entry, what the two tables know of its key within the window, and which of them
-- is written now. The other is read only while it can hold a key within the window, so that no
-- publish stands in the way of its truncation.
create function willcall.recall_keys(
  _topic_id integer,
  _at timestamptz,
  _window interval,
  _publishers text[],
  _dedupe_keys text[],
  out turn bigint,
  out message_ids bytea[],
  out digests bytea[]
) returns record
language plpgsql
as $$
declare
  _rotation record;
  _even record;
  _odd record;
begin
  select rotation.turn, rotation.began_at > _at - _window and not rotation.emptied as both_read into _rotation
  from willcall.dedupe_rotation rotation;
  turn := _rotation.turn;

  if turn % 2 = 0 or _rotation.both_read then
    select known.message_ids, known.digests into _even
    from willcall.recall_even(_topic_id, _at - _window, _publishers, _dedupe_keys) known;
    message_ids := _even.message_ids;
    digests := _even.digests;
  end if;
  if turn % 2 = 1 or _rotation.both_read then
    select known.message_ids, known.digests into _odd
    from willcall.recall_odd(_topic_id, _at - _window, _publishers, _dedupe_keys) known;
    if message_ids is null then
      message_ids := _odd.message_ids;
      digests := _odd.digests;
    else
      -- A key is in both only if its window is over in the older table, which then returned null.
      select array_agg(coalesce(entry.a_id, entry.b_id) order by entry.ord),
        array_agg(coalesce(entry.a_digest, entry.b_digest) order by entry.ord)
      into message_ids, digests
      from unnest(_even.message_ids, _even.digests, _odd.message_ids, _odd.digests)
        with ordinality entry (a_id, a_digest, b_id, b_digest, ord);
    end if;
  end if;
end
$$;

-- message_number: the number in a message id: the sequence, or the number among the delayed ones.
create function willcall.message_number(_message_id bytea) returns bigint
language sql
immutable
as $$
  select ('x' || encode(substring(_message_id from 6 for 8), 'hex'))::bit(64)::bigint
$$;
