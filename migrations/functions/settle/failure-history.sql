-- failure_history: the recorded failed attempts of one message, oldest first, as a dead letter
-- keeps them. Index: failure_key.

create function willcall.failure_history(_topic_id integer, _subscription_id integer, _seq bigint, _generation integer)
returns jsonb
language sql
stable
as $$
  select coalesce(
    jsonb_agg(
      jsonb_build_object(
        'attempt', f.attempt, 'ended', f.ended, 'delivered_at', f.delivered_at, 'ended_at', f.ended_at,
        'ended_by', f.ended_by, 'error_code', f.error_code, 'error_message', f.error_message
      )
      order by f.attempt
    ),
    '[]'
  )
  from willcall.failure f
  where f.topic_id = _topic_id and f.subscription_id = _subscription_id and f.seq = _seq and f.generation = _generation
$$;
