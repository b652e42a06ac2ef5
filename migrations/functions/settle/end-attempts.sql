-- end_attempts: what expire, release and reject do with outstanding messages of one delivery: each
-- gets its failure row and is deferred (with back-off after a failed attempt) or, after its last
-- attempt, becomes a dead letter with a full copy and its history. Called under the settle lock and
-- its caller's planner settings. Expiry and release with an error are failed attempts; a release
-- without an error counts as a delivery only.
-- Of the given messages it takes those in leases that are over ('expired') or live (the others),
-- each once. Returns them with their position in _seqs and when they are due again (null: a dead
-- letter).

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
) returns table (entry integer, message_id bytea, available_at timestamptz)
language plpgsql
as $$
#variable_conflict use_column
declare
  _sub record;
  _delivery record;
  _leased record;
begin
  select s.max_attempts, s.max_deliveries, s.min_backoff_seconds, s.max_backoff_seconds into _sub
  from willcall.subscription s
  where s.topic_id = _topic_id and s.subscription_id = _subscription_id;

  select d.generation, d.at into _delivery
  from willcall.delivery d
  where d.topic_id = _topic_id and d.subscription_id = _subscription_id and d.delivery_no = _delivery_no;

  select leased.* into _leased
  from willcall.find_leased(_topic_id, _subscription_id, _delivery_no, _seqs, _at, _ended = 'expired') leased;

  return query
  with ended as materialized (
    select
      given.*, _leased.attempts[given.index] as attempt,
      _leased.failures[given.index] + (_ended = 'expired' or given.error_code is not null)::integer as failures,
      _ended = 'expired' or given.error_code is not null as failed
    from (
      select entry.*, place.index, row_number() over (partition by entry.seq order by entry.ord) as nth
      from unnest(_seqs, _delay_seconds, _error_codes, _error_messages)
        with ordinality entry (seq, delay_seconds, error_code, error_message, ord)
      cross join lateral (select width_bucket(entry.seq, _leased.seqs) as index offset 0) place
      where _leased.seqs[place.index] = entry.seq
    ) given
    where given.nth = 1
  ),
  verdict as materialized (
    select
      ended.*,
      case
        when _ended = 'rejected' then 'rejected'
        when ended.failed and ended.failures >= _sub.max_attempts then 'max_attempts'
        when ended.attempt >= _sub.max_deliveries then 'max_deliveries'
      end as reason,
      _at + interval '1 second' * case
        when ended.delay_seconds is not null then ended.delay_seconds
        -- Exponential, and up to half as much again at random, so that messages which failed
        -- together do not return together.
        when ended.failed then least(
          _sub.max_backoff_seconds,
          _sub.min_backoff_seconds * power(2::double precision, least(ended.failures - 1, 40)) * (1 + random() / 2)
        )
        else 0
      end as due_at
    from ended
  ),
  dead as (
    insert into willcall.dead_letter (
      topic_id, subscription_id, dead_letter_no, reason, dead_at, seq, seq_last, message_count, generation, attempts, message_id,
      published_at, published_by, content_type, attributes, ordering_key, body_bytes, body_sha256, body, history
    )
    select
      _topic_id, _subscription_id,
      (select willcall.last_dead_letter_no(_topic_id, _subscription_id)) + row_number() over (order by verdict.seq),
      verdict.reason, _at, verdict.seq, verdict.seq, 1, _delivery.generation,
      verdict.attempt, msg.message_id, msg.published_at, msg.published_by, msg.content_type, msg.attributes,
      msg.ordering_key, msg.body_bytes, msg.body_sha256, msg.body,
      willcall.failure_history(_topic_id, _subscription_id, verdict.seq, _delivery.generation) || jsonb_build_object(
        'attempt', verdict.attempt, 'ended', _ended, 'delivered_at', _delivery.at, 'ended_at', _at,
        'ended_by', _ended_by, 'error_code', verdict.error_code, 'error_message', verdict.error_message
      )
    from verdict
    cross join lateral (
      select msg.* from willcall.message msg where msg.topic_id = _topic_id and msg.seq = verdict.seq limit 1
    ) msg
    where verdict.reason is not null
    returning dead_letter_no, seq
  ),
  numbered as materialized (
    select array_agg(dead.seq order by dead.seq) as seqs, array_agg(dead.dead_letter_no order by dead.seq) as nos
    from dead
  ),
  waiting as (
    insert into willcall.deferred (topic_id, subscription_id, seq, available_at, attempt, failures)
    select _topic_id, _subscription_id, verdict.seq, verdict.due_at, verdict.attempt, verdict.failures
    from verdict
    where verdict.reason is null
  ),
  recorded as (
    insert into willcall.failure (
      topic_id, subscription_id, seq, generation, attempt, delivery_no, delivered_at, ended_at, ended, ended_by,
      error_code, error_message, dead_letter_no
    )
    select
      _topic_id, _subscription_id, verdict.seq, _delivery.generation, verdict.attempt, _delivery_no, _delivery.at,
      _at, _ended, _ended_by, verdict.error_code, verdict.error_message,
      case when verdict.reason is not null then numbered.nos[width_bucket(verdict.seq, numbered.seqs)] end
    from verdict
    cross join numbered
  )
  select verdict.ord::integer, msg.message_id, case when verdict.reason is null then verdict.due_at end
  from verdict
  cross join lateral (
    select msg.message_id from willcall.message msg where msg.topic_id = _topic_id and msg.seq = verdict.seq limit 1
  ) msg;

  perform willcall.shrink_lease(_topic_id, _subscription_id, _delivery_no, _leased.seqs);
end
$$;
