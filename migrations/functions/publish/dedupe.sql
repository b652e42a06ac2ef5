-- Dedupe keys: what a publisher called a message, remembered for the topic's window. Two tables
-- take turns, so that keys are forgotten by truncating one of them and not row by row. A statement
-- names only one of the two, because it locks every table that it names: a publish never waits for
-- the truncation of the other. Called under the topic lock and publish's planner settings. Indexes:
-- dedupe_key_even_key, dedupe_key_odd_key.

-- recall_even, recall_odd: by entry, the id and digest of the message that has its key; null where
-- no message has.
create function willcall.recall_even(
  _topic_id integer,
  _since timestamptz,
  _publishers text[],
  _dedupe_keys text[],
  out message_ids bytea[],
  out digests bytea[]
) returns record
language plpgsql
as $$
begin
  select array_agg(k.message_id order by e.ord), array_agg(k.body_sha256 order by e.ord) into message_ids, digests
  from unnest(_publishers, _dedupe_keys) with ordinality e (publisher, dedupe_key, ord)
  left join lateral (
    select d.message_id, d.body_sha256
    from willcall.dedupe_key_even d
    where d.topic_id = _topic_id and d.publisher = e.publisher and d.dedupe_key = e.dedupe_key
      and d.published_at > _since
    limit 1
  ) k on true;
end
$$;

create function willcall.recall_odd(
  _topic_id integer,
  _since timestamptz,
  _publishers text[],
  _dedupe_keys text[],
  out message_ids bytea[],
  out digests bytea[]
) returns record
language plpgsql
as $$
begin
  select array_agg(k.message_id order by e.ord), array_agg(k.body_sha256 order by e.ord) into message_ids, digests
  from unnest(_publishers, _dedupe_keys) with ordinality e (publisher, dedupe_key, ord)
  left join lateral (
    select d.message_id, d.body_sha256
    from willcall.dedupe_key_odd d
    where d.topic_id = _topic_id and d.publisher = e.publisher and d.dedupe_key = e.dedupe_key
      and d.published_at > _since
    limit 1
  ) k on true;
end
$$;

-- remember_keys: stores the keys of messages that were just published. A key whose window is over
-- is overwritten.
create function willcall.remember_keys(
  _turn bigint,
  _topic_id integer,
  _at timestamptz,
  _publishers text[],
  _dedupe_keys text[],
  _message_ids bytea[],
  _digests bytea[]
) returns void
language plpgsql
as $$
begin
  if _turn % 2 = 0 then
    insert into willcall.dedupe_key_even (topic_id, publisher, dedupe_key, published_at, message_id, body_sha256)
    select _topic_id, e.publisher, e.dedupe_key, _at, e.message_id, e.digest
    from unnest(_publishers, _dedupe_keys, _message_ids, _digests) e (publisher, dedupe_key, message_id, digest)
    where e.dedupe_key is not null
    on conflict (topic_id, publisher, dedupe_key) do update
    set published_at = excluded.published_at, message_id = excluded.message_id, body_sha256 = excluded.body_sha256;
  else
    insert into willcall.dedupe_key_odd (topic_id, publisher, dedupe_key, published_at, message_id, body_sha256)
    select _topic_id, e.publisher, e.dedupe_key, _at, e.message_id, e.digest
    from unnest(_publishers, _dedupe_keys, _message_ids, _digests) e (publisher, dedupe_key, message_id, digest)
    where e.dedupe_key is not null
    on conflict (topic_id, publisher, dedupe_key) do update
    set published_at = excluded.published_at, message_id = excluded.message_id, body_sha256 = excluded.body_sha256;
  end if;
end
$$;

-- rotate_dedupe_keys: upkeep. Truncates the table that is no longer read, once the longest window
-- is over for every key in it; an hour later the two change roles. It never waits: where the table
-- is in use, the next run does it. Returns what it did: 'emptied', 'turned' or 'nothing'.
create function willcall.rotate_dedupe_keys() returns text
language plpgsql
set lock_timeout = '100ms'
as $$
declare
  _rotation record;
  _window interval;
begin
  select r.turn, r.began_at, r.emptied into _rotation from willcall.dedupe_rotation r for update skip locked;
  if not found then
    return 'nothing';
  end if;
  select coalesce(max(t.dedupe_window_seconds), 0) * interval '1 second' into _window
  from willcall.topic t
  where t.deleted_at is null;

  if not _rotation.emptied and _rotation.began_at < clock_timestamp() - _window then
    begin
      if _rotation.turn % 2 = 0 then
        truncate willcall.dedupe_key_odd;
      else
        truncate willcall.dedupe_key_even;
      end if;
    exception
      when lock_not_available then
        return 'nothing';
    end;
    update willcall.dedupe_rotation set emptied = true;
    return 'emptied';
  elsif _rotation.emptied and _rotation.began_at < clock_timestamp() - _window - interval '1 hour' then
    update willcall.dedupe_rotation set turn = _rotation.turn + 1, began_at = clock_timestamp(), emptied = false;
    return 'turned';
  end if;
  return 'nothing';
end
$$;
