// The ledger and the dead letters, read page by page along their keys.

import { type Selectable, sql } from 'kysely';
import type { Acknowledgment, DeadLetter, DeadLetterReason } from '../domain/ledger.ts';
import { limits } from '../domain/limits.ts';
import type { Db } from './postgres/db.ts';
import type { AcknowledgmentTable, DeadLetterTable } from './postgres/tables.ts';
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

export type LedgerStore = ReturnType<typeof createLedgerStore>;

export function createLedgerStore(db: Db) {
  return {
    /** In order of ack_no. Times are found by halving, because the ledger is in time order. */
    listAcknowledgments: (key: SubscriptionKey, filter: AcknowledgmentFilter): Promise<Acknowledgment[]> =>
      db.run(async (kysely) => {
        let query = kysely
          .selectFrom('acknowledgment')
          .selectAll()
          .where('topic_id', '=', key.topicId)
          .where('subscription_id', '=', key.subscriptionId)
          .where('ack_no', '>', filter.after)
          .orderBy('ack_no')
          .limit(filter.limit);
        const firstSince = (at: Date) =>
          sql<number>`(select ${sql.id(db.schema, 'first_ack_since')}(
            ${key.topicId}::integer, ${key.subscriptionId}::integer, ${at}::timestamptz))`;
        if (filter.from !== null) query = query.where('ack_no', '>=', firstSince(filter.from));
        if (filter.until !== null) query = query.where('ack_no', '<', firstSince(filter.until));
        if (filter.acknowledgedBy !== null) query = query.where('acknowledged_by', '=', filter.acknowledgedBy);
        if (filter.messageId !== null) {
          query = query.where('message_id', '=', filter.messageId);
          const sequence = sequenceOf(filter.messageId);
          if (sequence !== null) query = query.where('seq', '=', sequence);
        }
        return (await query.execute()).map(toAcknowledgment);
      }),

    /** Open ones in order of dead_letter_no; `more` says that the page ended before the list did. */
    listDeadLetters: (key: SubscriptionKey, filter: DeadLetterFilter): Promise<DeadLetterPage> =>
      db.run(async (kysely) => {
        let open = kysely
          .selectFrom('dead_letter')
          .where('topic_id', '=', key.topicId)
          .where('subscription_id', '=', key.subscriptionId)
          .where('closed_at', 'is', null)
          .where('dead_letter_no', '>', filter.after)
          .orderBy('dead_letter_no');
        if (filter.reason !== null) open = open.where('reason', '=', filter.reason);
        // First the sizes: a page of large copies is cut short before it is read.
        const sizes = await open
          .select(['dead_letter_no', 'body_bytes'])
          .limit(filter.limit + 1)
          .execute();
        const count = Math.min(countWithin(sizes.map((row) => row.body_bytes ?? 0)), filter.limit);
        const rows = await open.selectAll().limit(count).execute();
        return { deadLetters: rows.map(toDeadLetter), more: count < sizes.length };
      }),
  };
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

/** An id of the log's own numbering says its sequence; that of a delayed message does not (its number is another). */
function sequenceOf(messageId: Buffer): number | null {
  return messageId[0] === 1 ? Number(messageId.readBigUInt64BE(5)) : null;
}

function toAcknowledgment(row: Selectable<AcknowledgmentTable>): Acknowledgment {
  return {
    ackNo: row.ack_no,
    messageId: row.message_id.toString('base64url'),
    sequence: row.seq,
    generation: row.generation,
    revision: row.revision,
    bodySha256: row.body_sha256,
    bodyBytes: row.body_bytes,
    publishedAt: row.published_at,
    deliveryNo: row.delivery_no,
    deliveredAt: row.delivered_at,
    attempt: row.attempt,
    acknowledgedAt: row.acknowledged_at,
    acknowledgedBy: row.acknowledged_by,
    reference: row.reference,
    late: row.late,
  };
}

function toDeadLetter(row: Selectable<DeadLetterTable>): DeadLetter {
  return {
    deadLetterNo: row.dead_letter_no,
    reason: row.reason,
    deadAt: row.dead_at,
    sequence: row.seq,
    sequenceLast: row.seq_last,
    messageCount: row.message_count,
    messageId: row.message_id?.toString('base64url') ?? null,
    attempts: row.attempts,
    body: row.body,
    contentType: row.content_type,
    attributes: row.attributes,
    orderingKey: row.ordering_key,
    publishedAt: row.published_at,
    history: row.history.map((entry) => ({
      attempt: entry.attempt,
      ended: entry.ended,
      deliveredAt: new Date(entry.delivered_at),
      endedAt: new Date(entry.ended_at),
      endedBy: entry.ended_by,
      errorCode: entry.error_code,
      errorMessage: entry.error_message,
    })),
  };
}
