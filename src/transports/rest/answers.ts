// The shapes of answers: plain objects in wire words, of the types that the schemas of answers give them, written out by
// JSON.stringify. Dates become RFC 3339 in UTC with milliseconds by their own toJSON.

import { isUtf8 } from 'node:buffer';
import type { FastifyReply } from 'fastify';
import type { z } from 'zod';
import type { ApiKey } from '../../domain/api-key.ts';
import type { Acknowledgment, DeadLetter, FailedAttempt } from '../../domain/ledger.ts';
import type { PublishedMessage, ReceivedMessage } from '../../domain/message.ts';
import type { SettleAnswer, SettleResult } from '../../domain/settling.ts';
import type { Subscription, SubscriptionStats } from '../../domain/subscription.ts';
import type { Topic } from '../../domain/topic.ts';
import type { ReceiveAnswer } from '../../engine/receive.ts';
import { sendProblem } from './errors.ts';
import type * as directorySchemas from './schemas/directory-answers.ts';
import type * as keySchemas from './schemas/key-answers.ts';
import type * as messageSchemas from './schemas/message-answers.ts';
import type * as recordSchemas from './schemas/record-answers.ts';

export function topicAnswer(topic: Topic): z.input<typeof directorySchemas.topic> {
  return {
    name: topic.name,
    retention_seconds: topic.retentionSeconds,
    retain_acknowledged_seconds: topic.retainAcknowledgedSeconds,
    expired_retention_seconds: topic.expiredRetentionSeconds,
    dedupe_window_seconds: topic.dedupeWindowSeconds,
    max_message_bytes: topic.maxMessageBytes,
    max_backlog: topic.maxBacklog,
    created_at: topic.createdAt,
    created_by: topic.createdBy,
  };
}

export function subscriptionAnswer(subscription: Subscription): z.input<typeof directorySchemas.subscription> {
  return {
    name: subscription.name,
    topic: subscription.topic,
    start: subscription.start,
    visibility_timeout_seconds: subscription.visibilityTimeoutSeconds,
    delay_seconds: subscription.delaySeconds,
    max_attempts: subscription.maxAttempts,
    max_deliveries: subscription.maxDeliveries,
    retry: {
      min_backoff_seconds: subscription.minBackoffSeconds,
      max_backoff_seconds: subscription.maxBackoffSeconds,
    },
    max_in_flight: subscription.maxInFlight,
    created_at: subscription.createdAt,
    created_by: subscription.createdBy,
  };
}

export function statsAnswer(stats: SubscriptionStats): z.input<typeof directorySchemas.subscriptionStats> {
  return {
    backlog: stats.backlog,
    in_flight: stats.inFlight,
    deferred: stats.deferred,
    dead_letters: stats.deadLetters,
    oldest_unacknowledged_seconds: stats.oldestUnacknowledgedSeconds,
  };
}

export function publishAnswer(messages: readonly PublishedMessage[]): z.input<typeof messageSchemas.published> {
  return { messages: messages.map(({ id, sequence, duplicate }) => ({ id, sequence, duplicate })) };
}

export function receiveAnswer({ messages, acknowledged }: ReceiveAnswer): z.input<typeof messageSchemas.received> {
  const formats = { publishedAt: createTimeFormat(), visibleUntil: createTimeFormat() };
  return {
    messages: messages.map((message) => messageAnswer(message, formats)),
    acknowledged: acknowledged.map(createAcknowledgedAnswer()),
  };
}

/** 200 with one result per receipt; 409 with the same when none is ok, or when an atomic call was refused. */
export function sendSettled(reply: FastifyReply, settled: SettleAnswer, shape: (result: SettleResult) => object) {
  const { results, failed, refused } = settled;
  const answer = { results: results.map(shape), failed };
  if (refused) {
    const detail = `${failed} of ${results.length} receipts are not good, so none was settled: repeat the call without them.`;
    return sendProblem(reply, 'atomic_refused', detail, answer);
  }
  if (failed === results.length) {
    return sendProblem(reply, 'nothing_settled', 'None of the receipts was settled: see the outcome of each.', answer);
  }
  return reply.send(answer);
}

/** What became of receipts that were to be acknowledged; the ledger's fields are null when there is no such row. */
export function createAcknowledgedAnswer() {
  const acknowledgedAt = createTimeFormat();
  return (result: SettleResult): z.input<typeof messageSchemas.acknowledgeResult> => ({
    receipt: result.receipt,
    message_id: result.messageId,
    outcome: result.outcome,
    ack_no: result.ackNo,
    acknowledged_at: result.acknowledgedAt && acknowledgedAt(result.acknowledgedAt),
  });
}

/** What became of a receipt by any other verb; what its outcome does not have is left out. */
export function settledAnswer(result: SettleResult): z.input<typeof messageSchemas.settleResult> {
  return {
    receipt: result.receipt,
    message_id: result.messageId,
    outcome: result.outcome,
    ...(result.ackNo === null ? {} : { ack_no: result.ackNo }),
    ...(result.acknowledgedAt === null ? {} : { acknowledged_at: result.acknowledgedAt }),
    ...(result.visibleUntil === null ? {} : { visible_until: result.visibleUntil }),
  };
}

export function acknowledgmentAnswer(row: Acknowledgment): z.input<typeof recordSchemas.acknowledgment> {
  return {
    ack_no: row.ackNo,
    message_id: row.messageId,
    sequence: row.sequence,
    generation: row.generation,
    revision: row.revision,
    body_sha256: row.bodySha256.toString('hex'),
    body_bytes: row.bodyBytes,
    published_at: row.publishedAt,
    delivery_no: row.deliveryNo,
    delivered_at: row.deliveredAt,
    attempt: row.attempt,
    acknowledged_at: row.acknowledgedAt,
    acknowledged_by: row.acknowledgedBy,
    reference: row.reference,
    late: row.late,
  };
}

export function deadLetterAnswer(letter: DeadLetter): z.input<typeof recordSchemas.deadLetter> {
  return {
    dead_letter_no: letter.deadLetterNo,
    reason: letter.reason,
    dead_at: letter.deadAt,
    sequence: letter.sequence,
    sequence_last: letter.sequenceLast,
    message_count: letter.messageCount,
    message_id: letter.messageId,
    attempts: letter.attempts,
    ...(letter.body === null ? { body: null, body_encoding: null } : bodyAnswer(letter.body)),
    content_type: letter.contentType,
    attributes: letter.attributes,
    ordering_key: letter.orderingKey,
    published_at: letter.publishedAt,
    history: letter.history.map(failedAttemptAnswer),
  };
}

function failedAttemptAnswer(failed: FailedAttempt) {
  return {
    attempt: failed.attempt,
    ended: failed.ended,
    delivered_at: failed.deliveredAt,
    ended_at: failed.endedAt,
    ended_by: failed.endedBy,
    error: failed.errorCode === null ? null : { code: failed.errorCode, message: failed.errorMessage },
  };
}

/** All that is ever told of a key after its creation. */
export function keyAnswer(key: ApiKey): z.input<typeof keySchemas.apiKey> {
  return {
    id: key.keyId,
    client: key.client,
    roles: key.roles.map(({ role, topics, subscriptions }) => ({
      role,
      topics: [...topics],
      subscriptions: [...subscriptions],
    })),
    expires_at: key.expiresAt,
    requests_per_second: key.requestsPerSecond,
    created_at: key.createdAt,
    created_by: key.createdBy,
    revoked_at: key.revokedAt,
    revoked_by: key.revokedBy,
    last_used_at: key.lastUsedAt,
  };
}

interface MessageTimeFormats {
  readonly publishedAt: TimeFormat;
  readonly visibleUntil: TimeFormat;
}

function messageAnswer(message: ReceivedMessage, formats: MessageTimeFormats) {
  return {
    id: message.id,
    sequence: message.sequence,
    receipt: message.receipt,
    attempt: message.attempt,
    ...bodyAnswer(message.body),
    content_type: message.contentType,
    attributes: message.attributes,
    ordering_key: message.orderingKey,
    published_at: formats.publishedAt(message.publishedAt),
    visible_until: formats.visibleUntil(message.visibleUntil),
  };
}

type TimeFormat = (at: Date) => string;

/** For the same field of many items: JSON.stringify is slow with dates, and neighbours often share theirs. */
function createTimeFormat(): TimeFormat {
  let lastMs = Number.NaN;
  let text = '';
  return (at) => {
    const ms = at.getTime();
    if (ms !== lastMs) {
      lastMs = ms;
      text = at.toISOString();
    }
    return text;
  };
}

/** Text as it is, a byte order mark included; base64 where the bytes are not valid UTF-8. */
function bodyAnswer(body: Buffer) {
  return isUtf8(body)
    ? { body: body.toString('utf8'), body_encoding: 'utf8' as const }
    : { body: body.toString('base64'), body_encoding: 'base64' as const };
}
