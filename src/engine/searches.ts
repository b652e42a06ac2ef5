// Searching many ledgers, and what a subscription has not acknowledged by a time.
// Each call looks at a bounded number of rows: a page may be short, or empty, and not the last one.

import { type Cursor, formatCursor, startCursor } from '../domain/cursor.ts';
import { WillcallError } from '../domain/errors.ts';
import type { Acknowledgment, UnacknowledgedMessage } from '../domain/ledger.ts';
import type { Store } from '../store/index.ts';
import { type AcknowledgmentFilter, checkSpan, findOf, type LedgerOf, type LedgerPage, toFilter } from './audit.ts';
import type { PageRequest } from './pages.ts';

export interface AcknowledgmentSearch extends PageRequest<Cursor>, AcknowledgmentFilter {
  /** Only in ledgers of names that one of these scopes covers. */
  readonly scopes: readonly string[];
  readonly topic?: string | undefined;
}

export type UnacknowledgedQuery = LedgerOf &
  PageRequest<Cursor> & {
    readonly from?: Date | undefined;
    /** Absent: now. */
    readonly by?: Date | undefined;
  };

export interface SearchVerbs {
  /**
   * Ledger by ledger, each in order of `ackNo`; `next` is null at the end. Throws `invalid_request`
   * for a cursor of no ledger.
   */
  queryAcknowledgments(search: AcknowledgmentSearch): Promise<{
    readonly acknowledgments: readonly Acknowledgment[];
    readonly next: string | null;
    readonly hasMore: boolean;
  }>;
  /**
   * Messages of the log that were published before a time and not acknowledged by then. Throws as
   * `listAcknowledgments` does.
   */
  listUnacknowledged(query: UnacknowledgedQuery): Promise<
    LedgerPage & {
      readonly messages: readonly UnacknowledgedMessage[];
      readonly completeFrom: Date | null;
    }
  >;
}

export function createSearchVerbs(store: Store): SearchVerbs {
  async function queryAcknowledgments({ scopes, topic, limit, after = startCursor, ...filter }: AcknowledgmentSearch) {
    const { rows, places, unfinished } = await store.searches.acknowledgments({
      ...toFilter(filter),
      scopes,
      topic,
      after: await placeOf(store, after),
      limit: limit + 1,
    });
    const acknowledgments = rows.slice(0, limit);
    const hasMore = rows.length > limit || unfinished !== null;
    const last = rows.length > limit ? places[limit - 1] : unfinished;
    const next = last ? formatCursor(last.publicId, last.ackNo) : null;
    return { acknowledgments, next, hasMore };
  }

  async function listUnacknowledged(query: UnacknowledgedQuery) {
    const { limit, after = startCursor, from, by = new Date() } = query;
    checkSpan(from, by, 'by');
    const ledger = await findOf(store, query, after);
    const found = await store.searches.unacknowledged(ledger, { from, by, after: after.position, limit });
    const { messages, position, hasMore, completeFrom } = found;
    return { ledger, messages, completeFrom, next: formatCursor(ledger.publicId, position), hasMore };
  }

  return { queryAcknowledgments, listUnacknowledged };
}

async function placeOf(store: Store, { ledger, position }: Cursor) {
  if (ledger === null && position === 0) return null;
  const found = ledger === null ? null : await store.subscriptions.findLedger(ledger);
  if (found === null) throw new WillcallError('invalid_request', { fields: [{ path: ['after'], rule: 'cursor' }] });
  return { topicId: found.topicId, subscriptionId: found.subscriptionId, ackNo: position };
}
