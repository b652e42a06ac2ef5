// The ledger and the dead letters, read page by page along their keys.

import { sql } from 'kysely';
import { readInstant } from '../domain/instant.ts';
import type {
  Acknowledgment,
  DeadLetter,
  DeadLetterReason,
  FailedAttempt,
  Ledger,
  RecordNames,
} from '../domain/ledger.ts';
import { limits } from '../domain/limits.ts';
import { given } from '../domain/settings.ts';
import type { Db } from './postgres/db.ts';
import type { HistoryEntry } from './postgres/tables.ts';
import type { SubscriptionKey } from './subscriptions.ts';

/** What is absent does not narrow. */
export interface AcknowledgmentFilter {
  readonly from?: Date | undefined;
  readonly until?: Date | undefined;
  readonly messageId?: Buffer | undefined;
  readonly acknowledgedBy?: string | undefined;
  readonly keyId?: string | undefined;
  readonly reference?: string | undefined;
  readonly bodySha256?: Buffer | undefined;
}

export interface AcknowledgmentPage extends AcknowledgmentFilter {
  readonly after: number;
  readonly limit: number;
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

export const acknowledgmentColumns = [
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
  function listAcknowledgments(ledger: Ledger, filter: AcknowledgmentPage): Promise<Acknowledgment[]> {
    const { after, limit, from, until, messageId, ...equal } = filter;
    return db.run(async (kysely) => {
      const rows = await kysely
        .selectFrom('acknowledgment')
        .select(acknowledgmentColumns)
        .where('topicId', '=', ledger.topicId)
        .where('subscriptionId', '=', ledger.subscriptionId)
        .where('ackNo', '>', after)
        .$if(from !== undefined, (query) => query.where('ackNo', '>=', ackAt(db, ledger, 'first_ack_since', from)))
        .$if(from !== undefined, (query) => query.where('acknowledgedAt', '>=', from ?? null))
        .$if(until !== undefined, (query) => query.where('ackNo', '<', ackAt(db, ledger, 'ack_until', until)))
        .$if(until !== undefined, (query) => query.where('acknowledgedAt', '<', until ?? null))
        .where((eb) => eb.and(given(equal)))
        .$if(messageId !== undefined, (query) => query.where((eb) => eb.and(ofMessage(messageId))))
        .orderBy('ackNo')
        .limit(limit)
        .execute();
      return rows.map((row) => ({ ...row, ...namesOf(ledger), messageId: row.messageId.toString('base64url') }));
    });
  }

  /** Open ones in order of deadLetterNo; `more` says that the page ended before the list did. */
  function listDeadLetters(ledger: Ledger, { after, limit, reason }: DeadLetterFilter): Promise<DeadLetterPage> {
    return db.run(async (kysely) => {
      const open = kysely
        .selectFrom('deadLetter')
        .where('topicId', '=', ledger.topicId)
        .where('subscriptionId', '=', ledger.subscriptionId)
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
        ...namesOf(ledger),
        messageId: row.messageId?.toString('base64url') ?? null,
        history: row.history.map(toFailedAttempt),
      }));
      return { deadLetters, more: count < sizes.length };
    });
  }

  /** The newest ones after that number, in order of it: for the log, without their bodies. */
  async function listNewestDeadLetters(key: SubscriptionKey, after: number, limit: number) {
    const rows = await db.run((kysely) =>
      kysely
        .selectFrom('deadLetter')
        .innerJoin('subscription', 'subscription.subscriptionId', 'deadLetter.subscriptionId')
        .innerJoin('topic', 'topic.topicId', 'deadLetter.topicId')
        .select(['topic.name as topic', 'subscription.name as subscription'])
        .select(['deadLetterNo', 'reason', 'seq as sequence', 'messageCount as messages'])
        .where('deadLetter.topicId', '=', key.topicId)
        .where('deadLetter.subscriptionId', '=', key.subscriptionId)
        .where('deadLetterNo', '>', after)
        .orderBy('deadLetterNo', 'desc')
        .limit(limit)
        .execute(),
    );
    return rows.reverse();
  }

  return { listAcknowledgments, listNewestDeadLetters, listDeadLetters };
}

/** What a row says of where it belongs. */
function namesOf({ topic, topicPublicId, subscription, publicId }: Ledger): RecordNames {
  return { topic, topicPublicId, subscription, subscriptionPublicId: publicId };
}

function ackAt(
  { schema }: Db,
  { topicId, subscriptionId }: SubscriptionKey,
  find: 'first_ack_since' | 'ack_until',
  at: Date | undefined,
) {
  return sql<number>`(select ${sql.id(schema, find)}(
    ${topicId}::integer, ${subscriptionId}::integer, ${at}::timestamptz))`;
}

/** By its sequence too, where the id says it: that is what an index knows. */
function ofMessage(messageId: Buffer | undefined) {
  if (messageId === undefined) return {};
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
