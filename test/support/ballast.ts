// Rows by the tens of thousands, for tests of what a call costs when tables are large: nothing in
// them is due, and nothing of them is anybody's turn.

export const BALLAST_ROWS = 20_000;

/**
 * Statements that fill every table for a topic, whose log ends at `last` until then, and a
 * subscription.
 */
export function ballastOf(topic: number, subscription: number, last: number): string[] {
  const key = `${topic}, ${subscription}`;
  return [
    `insert into willcall.topic (name, retention_seconds, retain_acknowledged_seconds, expired_retention_seconds,
       max_message_bytes, dedupe_window_seconds, created_by)
     select 'other-${topic}-' || n, 1, 1, 1, 1, 1, 'p' from generate_series(1, ${BALLAST_ROWS / 10}) n`,
    `insert into willcall.subscription (topic_id, name, start_at, visibility_timeout_seconds, delay_seconds, max_attempts,
       max_deliveries, min_backoff_seconds, max_backoff_seconds, created_by)
     select topic_id, 'other-${topic}-' || n, 'latest', 1, 0, 1, 1, 0, 0, 'p'
     from willcall.topic cross join generate_series(1, ${BALLAST_ROWS / 10}) n where name = 'other-${topic}-1'`,
    `insert into willcall.message (topic_id, seq, published_at, body_bytes, message_id, body_sha256, published_by, body)
     select ${topic}, ${last} + n, clock_timestamp(), 100, '\\x01', sha256('x'), 'p', repeat('x', 100)::bytea
     from generate_series(1, ${BALLAST_ROWS}) n`,
    `insert into willcall.delivery (topic_id, subscription_id, delivery_no, head, at, nonce, generation, kind, principal, handed)
     select ${key}, n, n, clock_timestamp(), n, 1, 'deliver', 'p', int8multirange(int8range(n, n + 1))
     from generate_series(1000, ${BALLAST_ROWS} + 1000) n`,
    `insert into willcall.acknowledgment (topic_id, subscription_id, ack_no, seq, delivery_no, published_at, delivered_at,
       acknowledged_at, generation, attempt, body_bytes, late, message_id, body_sha256, acknowledged_by, published_by)
     select ${key}, 1000 + n, 1000000 + n, n, now(), now(), clock_timestamp(), 1, 1, 1, false, '\\x01', sha256('x'), 'p', 'p'
     from generate_series(1, ${BALLAST_ROWS}) n`,
    `insert into willcall.failure (topic_id, subscription_id, seq, generation, attempt, delivery_no, delivered_at, ended_at, ended)
     select ${key}, 1000000 + n, 1, 1, n, now(), now(), 'expired' from generate_series(1, ${BALLAST_ROWS}) n`,
    `insert into willcall.lease
     select ${key}, n, 0, 1, 0, now() + interval '1 hour', int8multirange(int8range(n, n + 1))
     from generate_series(2000, ${BALLAST_ROWS / 2}) n`,
    `insert into willcall.deferred
     select ${key}, 1000000 + n, now() + interval '1 hour', 1, 1 from generate_series(1, ${BALLAST_ROWS / 2}) n`,
    `insert into willcall.dead_letter (topic_id, subscription_id, dead_letter_no, reason, dead_at, seq, seq_last, message_count, generation, body)
     select ${key}, 1000 + n, 'rejected', now(), n, n, 1, 1, 'x' from generate_series(1, ${BALLAST_ROWS / 2}) n`,
    `insert into willcall.settled_mark
     select ${key}, now() - n * interval '1 minute', 0, 1000 from generate_series(2, ${BALLAST_ROWS / 10}) n`,
    `insert into willcall.scheduled (topic_id, scheduled_no, deliver_at, requested_at, message_id, published_by, body)
     select ${topic}, 1000000 + n, now() + interval '1 day', now(), '\\x02', 'p', 'x' from generate_series(1, ${BALLAST_ROWS / 2}) n`,
    `insert into willcall.dedupe_key_even
     select ${topic}, 'p', n::text, now(), '\\x01', sha256('x') from generate_series(1, ${BALLAST_ROWS}) n`,
  ];
}
