-- end_attempts: what expire, release and reject do with outstanding messages of one delivery: each
-- gets its failure row and is deferred (with back-off after a failed attempt) or, after its last
-- attempt, becomes a dead letter with a full copy and its history. Called under the settle lock and
-- its caller's planner settings. Expiry and release with an error are failed attempts; a release
-- without an error counts as a delivery only.
-- Returns each sequence with its position in _seqs and when it is due again (null: a dead letter).

create function willcall.end_attempts(
  _topic_id integer,
  _subscription_id integer,
  _at timestamptz,
  _delivery_no bigint,
  _ended text,
  _ended_by text,
  _seqs bigint[],
  _delay_seconds double precision[],
  _error_codes text[],
  _error_messages text[]
) returns table (ord bigint, seq bigint, message_id bytea, available_at timestamptz)
language plpgsql
as $$
#variable_conflict use_column
declare
  _sub record;
  _delivery record;
begin
  select s.max_attempts, s.max_deliveries, s.min_backoff_seconds, s.max_backoff_seconds into _sub
  from willcall.subscription s
  where s.topic_id = _topic_id and s.subscription_id = _subscription_id;

  select d.generation, d.at into _delivery
  from willcall.delivery d
  where d.topic_id = _topic_id and d.subscription_id = _subscription_id and d.delivery_no = _delivery_no;

  return query
  with ended as (
    select
      e.ord, e.seq, e.delay_seconds, e.error_code, e.error_message, l.attempt,
      l.failures + (_ended = 'expired' or e.error_code is not null)::integer as failures,
      _ended = 'expired' or e.error_code is not null as failed
    from unnest(_seqs, _delay_seconds, _error_codes, _error_messages)
      with ordinality e (seq, delay_seconds, error_code, error_message, ord)
    cross join lateral (
      select l.attempt, l.failures
      from willcall.lease l
      where l.topic_id = _topic_id and l.subscription_id = _subscription_id and l.delivery_no = _delivery_no
        and l.outstanding @> e.seq
      limit 1
    ) l
  ),
  verdict as (
    select
      e.*,
      case
        when _ended = 'rejected' then 'rejected'
        when e.failed and e.failures >= _sub.max_attempts then 'max_attempts'
        when e.attempt >= _sub.max_deliveries then 'max_deliveries'
      end as reason,
      _at + interval '1 second' * case
        when e.delay_seconds is not null then e.delay_seconds
        -- Exponential, and up to half as much again at random, so that messages which failed
        -- together do not return together.
        when e.failed then least(
          _sub.max_backoff_seconds,
          _sub.min_backoff_seconds * power(2::double precision, least(e.failures - 1, 40)) * (1 + random() / 2)
        )
        else 0
      end as due_at
    from ended e
  ),
  dead as (
    insert into willcall.dead_letter (
      topic_id, subscription_id, reason, dead_at, seq, seq_last, message_count, generation, attempts, message_id,
      published_at, published_by, content_type, attributes, ordering_key, body_bytes, body_sha256, body, history
    )
    select
      _topic_id, _subscription_id, v.reason, _at, v.seq, v.seq, 1, _delivery.generation, v.attempt, m.message_id,
      m.published_at, m.published_by, m.content_type, m.attributes, m.ordering_key, m.body_bytes, m.body_sha256, m.body,
      willcall.failure_history(_topic_id, _subscription_id, v.seq, _delivery.generation) || jsonb_build_object(
        'attempt', v.attempt, 'ended', _ended, 'delivered_at', _delivery.at, 'ended_at', _at, 'ended_by', _ended_by,
        'error_code', v.error_code, 'error_message', v.error_message
      )
    from verdict v
    cross join lateral (
      select m.* from willcall.message m where m.topic_id = _topic_id and m.seq = v.seq limit 1
    ) m
    where v.reason is not null
    returning dead_letter_no, seq
  ),
  waiting as (
    insert into willcall.deferred (topic_id, subscription_id, seq, available_at, attempt, failures)
    select _topic_id, _subscription_id, v.seq, v.due_at, v.attempt, v.failures
    from verdict v
    where v.reason is null
  ),
  recorded as (
    insert into willcall.failure (
      topic_id, subscription_id, seq, generation, attempt, delivery_no, delivered_at, ended_at, ended, ended_by,
      error_code, error_message, dead_letter_no
    )
    select
      _topic_id, _subscription_id, v.seq, _delivery.generation, v.attempt, _delivery_no, _delivery.at, _at, _ended,
      _ended_by, v.error_code, v.error_message, d.dead_letter_no
    from verdict v
    left join lateral (select d.dead_letter_no from dead d where v.reason is not null and d.seq = v.seq limit 1) d on true
  )
  select v.ord, v.seq, m.message_id, case when v.reason is null then v.due_at end
  from verdict v
  cross join lateral (
    select m.message_id from willcall.message m where m.topic_id = _topic_id and m.seq = v.seq limit 1
  ) m;

  perform willcall.shrink_lease(_topic_id, _subscription_id, _delivery_no, _seqs);
end
$$;
