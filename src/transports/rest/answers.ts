// Answers: plain objects with the wire's names, of the types that their schemas give them.
// JSON.stringify writes them; a Date becomes RFC 3339 in UTC with microseconds by its own toJSON.

import { isUtf8 } from 'node:buffer';
import type { FastifyReply } from 'fastify';
import type { z } from 'zod';
import type { ApiKey } from '../../domain/api-key.ts';
import { isSameInstant } from '../../domain/instant.ts';
import type { JournalEntry, JournalValues } from '../../domain/journal.ts';
import type { Acknowledgment, DeadLetter, RecordNames, UnacknowledgedMessage } from '../../domain/ledger.ts';
import type { PublishedMessage, ReceivedMessage } from '../../domain/message.ts';
import type { SettleAnswer, SettleResult } from '../../domain/settling.ts';
import type { DeletedSubscription, Subscription, SubscriptionStats } from '../../domain/subscription.ts';
import type { Topic } from '../../domain/topic.ts';
import type { LedgerPage } from '../../engine/audit.ts';
import type { Engine } from '../../engine/index.ts';
import type { ReceiveAnswer } from '../../engine/receive.ts';
import { sendProblem } from '../http/problems.ts';
import * as directorySchemas from './schemas/directory-answers.ts';
import * as journalSchemas from './schemas/journal.ts';
import * as keySchemas from './schemas/key-answers.ts';
import type * as messageSchemas from './schemas/message-answers.ts';
import * as recordSchemas from './schemas/record-answers.ts';
import { subscriptionTable } from './schemas/settings.ts';
import { toSnakeCase } from './wire-names.ts';
import { wireShape } from './wire-shape.ts';

/** Settings that stand in an object of their own on the wire. */
const groups = new Map(
  Object.entries(subscriptionTable).flatMap(([name, row]) => ('within' in row ? [[name, row.within]] : [])),
);
const NO_BODY = { body: null, body_encoding: null };

export function topicAnswer(topic: Topic) {
  return wireShape(directorySchemas.topic, { ...topic, id: topic.publicId });
}

export function subscriptionAnswer(subscription: Subscription) {
  return wireShape(directorySchemas.subscription, {
    ...subscription,
    id: subscription.publicId,
    topicId: subscription.topicPublicId,
    retry: subscription,
  });
}

export function statsAnswer(stats: SubscriptionStats) {
  return wireShape(directorySchemas.subscriptionStats, stats);
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

/**
 * 200 with one result per receipt; 409 with the same when none is ok, or when an atomic call was
 * refused.
 */
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

/**
 * What became of receipts that were to be acknowledged; the ledger's fields are null when there is
 * no such row.
 */
export function createAcknowledgedAnswer() {
  const acknowledgedAt = createTimeFormat();
  return (result: SettleResult): z.input<typeof messageSchemas.acknowledgeResult> => ({
    receipt: result.receipt,
    message_id: result.messageId,
    outcome: result.outcome,
    topic: result.topic,
    subscription: result.subscription,
    ack_no: result.ackNo,
    acknowledged_at: result.acknowledgedAt && acknowledgedAt(result.acknowledgedAt),
    reference: result.reference,
    reference_differs: result.referenceDiffers,
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

export function acknowledgmentAnswer(row: Acknowledgment) {
  return wireShape(recordSchemas.acknowledgment, {
    ...row,
    ...publicIdsOf(row),
    bodySha256: row.bodySha256.toString('hex'),
    referenceSalt: row.referenceSalt?.toString('hex') ?? null,
    referenceDigest: row.referenceDigest?.toString('hex') ?? null,
  });
}

export function deadLetterAnswer(letter: DeadLetter) {
  const { body, body_encoding: bodyEncoding } = letter.body === null ? NO_BODY : bodyAnswer(letter.body);
  const history = letter.history.map(({ errorCode: code, errorMessage: message, ...attempt }) => ({
    ...attempt,
    error: code === null ? null : { code, message },
  }));
  return wireShape(recordSchemas.deadLetter, { ...letter, ...publicIdsOf(letter), body, bodyEncoding, history });
}

export function unacknowledgedAnswer(message: UnacknowledgedMessage) {
  return {
    message_id: message.messageId,
    sequence: message.sequence,
    published_at: message.publishedAt,
    published_by: message.publishedBy,
    body_bytes: message.bodyBytes,
    body_sha256: message.bodySha256.toString('hex'),
    acknowledged_at: message.acknowledgedAt,
    dead_letter_no: message.deadLetterNo,
  };
}

/** A page of a ledger's records: whose they are, and where to read on. */
export function ledgerPageAnswer({ ledger, next, hasMore }: LedgerPage) {
  return {
    topic: ledger.topic,
    topic_id: ledger.topicPublicId,
    subscription: ledger.subscription,
    subscription_id: ledger.publicId,
    next,
    has_more: hasMore,
  };
}

export function ledgerAnswer({ subscription, stats }: Awaited<ReturnType<Engine['getRecorded']>>) {
  const { deletedAt, deletedBy } = subscription;
  return {
    ...subscriptionAnswer(subscription),
    stats: statsAnswer(stats),
    deleted_at: deletedAt,
    deleted_by: deletedBy,
  };
}

export function deletedSubscriptionAnswer(subscription: DeletedSubscription) {
  const { deletedAt, deletedBy } = subscription;
  return { ...subscriptionAnswer(subscription), deleted_at: deletedAt, deleted_by: deletedBy };
}

function publicIdsOf({ topicPublicId, subscriptionPublicId }: RecordNames) {
  return { topicId: topicPublicId, subscriptionId: subscriptionPublicId };
}

/** All that is ever shown of a key after its creation. */
export function journalEntryAnswer({ before, after, ...entry }: JournalEntry) {
  return {
    ...wireShape(journalSchemas.journalActs, { ...entry, id: entry.subjectId }),
    before: journalValues(before),
    after: journalValues(after),
  };
}

/** Settings as the noun's own answer shows them. */
function journalValues(values: JournalValues | null): Record<string, unknown> | null {
  if (values === null) return null;
  const shown: Record<string, unknown> = {};
  for (const [name, value] of Object.entries(values)) {
    const group = groups.get(name);
    if (group === undefined) shown[toSnakeCase(name)] = value;
    else shown[group] = { ...(shown[group] as object | undefined), [toSnakeCase(name)]: value };
  }
  return shown;
}

export function keyAnswer(key: ApiKey) {
  return wireShape(keySchemas.apiKey, { ...key, id: key.keyId });
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

/**
 * For the same field of many items: JSON.stringify is slow with dates, and neighbours often share
 * theirs.
 */
function createTimeFormat(): TimeFormat {
  let last = new Date(Number.NaN);
  let text = '';
  return (at) => {
    if (!isSameInstant(at, last)) {
      last = at;
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
