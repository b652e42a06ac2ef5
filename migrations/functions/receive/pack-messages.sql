-- pack_messages: messages of a topic's log as one row, in the order given; those that are not in
-- the log are left out, and without any there is no row. Lists are in that order: one of a single
-- element holds for all messages, and of sequences it is the first of consecutive ones. Bodies are
-- concatenated; attributes and ordering keys are objects by sequence, null where no message has
-- any. Index: message_key. See docs/decisions/0018.
-- PostgreSQL inlines it. willcall.receive_plain does the same for a range of sequences.

create function willcall.pack_messages(_topic_id integer, _seqs bigint[], _attempts integer[]) returns table (
  messages integer,
  seqs bigint[],
  attempts integer[],
  published_ats timestamptz[],
  message_ids bytea,
  content_types text[],
  attributes json,
  ordering_keys json,
  body_sizes integer[],
  bodies bytea
)
language sql
stable
as $$
  select
    count(*)::integer,
    array_agg(e.seq),
    willcall.condense(array_agg(coalesce(e.attempt, 1))),
    willcall.condense(array_agg(m.published_at)),
    string_agg(m.message_id, ''),
    willcall.condense(array_agg(m.content_type)),
    json_object_agg(m.seq, m.attributes) filter (where m.attributes is not null),
    json_object_agg(m.seq, m.ordering_key) filter (where m.ordering_key is not null),
    willcall.condense(array_agg(m.body_bytes)),
    string_agg(m.body, '')
  from unnest(_seqs, _attempts) e (seq, attempt)
  cross join lateral (
    select m.* from willcall.message m where m.topic_id = _topic_id and m.seq = e.seq limit 1
  ) m
  having count(*) > 0
$$;
