// The ledger and the dead letters, read page by page along their keys.

import { sql } from 'kysely';
import { readInstant } from '../domain/instant.ts';
import type { Acknowledgment, DeadLetter, DeadLetterReason, FailedAttempt } from '../domain/ledger.ts';
import { limits } from '../domain/limits.ts';
import type { Db } from './postgres/db.ts';
import type { HistoryEntry } from './postgres/tables.ts';
import type { SubscriptionKey } from './subscriptions.ts';

export interface AcknowledgmentFilter {
  readonly after: number;
  readonly limit: number;
  readonly from: Date | null;
  readonly until: Date | null;
  readonly messageId: Buffer | null;
  readonly acknowledgedBy: string | null;
}

export interface DeadLetterFilter {
  readonly after: number;
  readonly limit: number;
  readonly reason: DeadLetterReason | null;
}

export interface DeadLetterPage {
  readonly deadLetters: DeadLetter[];
  readonly more: boolean;
}

const acknowledgmentColumns = [
  'ackNo',
  'messageId',
  'seq as sequence',
  'generation',
  'revision',
  'bodySha256',
  'bodyBytes',
  'publishedAt',
  'deliveryNo',
  'deliveredAt',
  'attempt',
  'acknowledgedAt',
  'acknowledgedBy',
  'keyId',
  'publishedBy',
  'reference',
  'referenceSalt',
  'referenceDigest',
  'late',
] as const;
const deadLetterColumns = [
  'deadLetterNo',
  'reason',
  'deadAt',
  'seq as sequence',
  'seqLast as sequenceLast',
  'messageCount',
  'messageId',
  'attempts',
  'body',
  'contentType',
  'attributes',
  'orderingKey',
  'publishedAt',
  'history',
] as const;

export type LedgerStore = ReturnType<typeof createLedgerStore>;

export function createLedgerStore(db: Db) {
  /**
   * In order of ackNo. Times are found by halving: the ledger is in time order between clock steps.
   */
  function listAcknowledgments(key: SubscriptionKey, filter: AcknowledgmentFilter): Promise<Acknowledgment[]> {
    const { after, limit, from, until, messageId, acknowledgedBy } = filter;
    return db.run(async (kysely) => {
      const rows = await kysely
        .selectFrom('acknowledgment')
        .select(acknowledgmentColumns)
        .where('topicId', '=', key.topicId)
        .where('subscriptionId', '=', key.subscriptionId)
        .where('ackNo', '>', after)
        .$if(from !== null, (query) => query.where('ackNo', '>=', ackAt(db, key, 'first_ack_since', from)))
        .$if(from !== null, (query) => query.where('acknowledgedAt', '>=', from))
        .$if(until !== null, (query) => query.where('ackNo', '<', ackAt(db, key, 'ack_until', until)))
        .$if(until !== null, (query) => query.where('acknowledgedAt', '<', until))
        .$if(acknowledgedBy !== null, (query) => query.where('acknowledgedBy', '=', acknowledgedBy))
        .$if(messageId !== null, (query) => query.where((eb) => eb.and(ofMessage(messageId))))
        .orderBy('ackNo')
        .limit(limit)
        .execute();
      return rows.map((row) => ({ ...row, messageId: row.messageId.toString('base64url') }));
    });
  }

  /** Open ones in order of deadLetterNo; `more` says that the page ended before the list did. */
  function listDeadLetters(key: SubscriptionKey, { after, limit, reason }: DeadLetterFilter): Promise<DeadLetterPage> {
    return db.run(async (kysely) => {
      const open = kysely
        .selectFrom('deadLetter')
        .where('topicId', '=', key.topicId)
        .where('subscriptionId', '=', key.subscriptionId)
        .where('closedAt', 'is', null)
        .where('deadLetterNo', '>', after)
        .$if(reason !== null, (query) => query.where('reason', '=', reason))
        .orderBy('deadLetterNo');
      // First the sizes: a page of large copies is cut short before it is read.
      const sizes = await open
        .select(['deadLetterNo', 'bodyBytes'])
        .limit(limit + 1)
        .execute();
      const count = Math.min(countWithin(sizes.map(({ bodyBytes }) => bodyBytes ?? 0)), limit);
      const rows = await open.select(deadLetterColumns).limit(count).execute();
      const deadLetters = rows.map((row) => ({
        ...row,
        messageId: row.messageId?.toString('base64url') ?? null,
        history: row.history.map(toFailedAttempt),
      }));
      return { deadLetters, more: count < sizes.length };
    });
  }

  return { listAcknowledgments, listDeadLetters };
}

function ackAt(
  { schema }: Db,
  { topicId, subscriptionId }: SubscriptionKey,
  find: 'first_ack_since' | 'ack_until',
  at: Date | null,
) {
  return sql<number>`(select ${sql.id(schema, find)}(
    ${topicId}::integer, ${subscriptionId}::integer, ${at}::timestamptz))`;
}

/** By its sequence too, where the id says it: that is what an index knows. */
function ofMessage(messageId: Buffer | null) {
  if (messageId === null) return {};
  const seq = sequenceOf(messageId);
  return seq === null ? { messageId } : { messageId, seq };
}

/** How many fit into one page by their bytes; the first always does. */
function countWithin(sizes: readonly number[]): number {
  let bytes = 0;
  const beyond = sizes.findIndex((size, i) => {
    bytes += size;
    return i > 0 && bytes > limits.pageBytesMax;
  });
  return beyond === -1 ? sizes.length : beyond;
}

/** Null for the id of a delayed message, which has a number of another kind. */
function sequenceOf(messageId: Buffer): number | null {
  return messageId[0] === 1 ? Number(messageId.readBigUInt64BE(5)) : null;
}

function toFailedAttempt(entry: HistoryEntry): FailedAttempt {
  return {
    attempt: entry.attempt,
    ended: entry.ended,
    deliveredAt: readInstant(entry.delivered_at, (text) => new Date(text)),
    endedAt: readInstant(entry.ended_at, (text) => new Date(text)),
    endedBy: entry.ended_by,
    errorCode: entry.error_code,
    errorMessage: entry.error_message,
  };
}
