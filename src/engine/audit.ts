// Reading the ledger and the dead letters of one subscription page by page, also of a deleted one.
// A name means the ledger that it has now, or had last; a cursor means one ledger for good.

import type { Principal } from '../domain/access.ts';
import { type Cursor, formatCursor, startCursor } from '../domain/cursor.ts';
import { WillcallError } from '../domain/errors.ts';
import {
  type Acknowledgment,
  type DeadLetter,
  type DeadLetterReason,
  type Ledger,
  withoutOthers,
  withoutOthersAttempts,
} from '../domain/ledger.ts';
import { parseMessageId } from '../domain/message-id.ts';
import type { Subscription, SubscriptionStats } from '../domain/subscription.ts';
import type { Store } from '../store/index.ts';
import { type PageRequest, readPage } from './pages.ts';

/** By the name of a subscription, or by the public id of a ledger. */
export type LedgerOf =
  | { readonly subscription: string; readonly ledger?: undefined }
  | { readonly ledger: string; readonly subscription?: undefined };

export interface AcknowledgmentFilter {
  /** Inclusive. */
  readonly from?: Date | undefined;
  /** Exclusive. */
  readonly until?: Date | undefined;
  readonly messageId?: string | undefined;
  readonly acknowledgedBy?: string | undefined;
  readonly keyId?: string | undefined;
  readonly reference?: string | undefined;
  readonly bodySha256?: Buffer | undefined;
}

/** A reader who may know only what its own client did. Absent or null: one who may know all. */
interface ReadBy {
  readonly client?: Principal | null | undefined;
}

export type AcknowledgmentQuery = LedgerOf & PageRequest<Cursor> & AcknowledgmentFilter & ReadBy;
export type DeadLetterQuery = LedgerOf &
  PageRequest<Cursor> &
  ReadBy & { readonly reason?: DeadLetterReason | undefined };

export interface LedgerPage {
  readonly ledger: Ledger;
  /** Where to read on: also at the end, where more may come. */
  readonly next: string;
  readonly hasMore: boolean;
}

export interface AuditVerbs {
  /**
   * In order of `ackNo`. Throws `subscription_not_found`, `ledger_not_found`, `ledger_replaced`,
   * `forbidden` where the filter asks for another client than the reader may know.
   */
  listAcknowledgments(
    query: AcknowledgmentQuery,
  ): Promise<LedgerPage & { readonly acknowledgments: readonly Acknowledgment[] }>;
  /** Open dead letters in order of `deadLetterNo`. Throws as `listAcknowledgments` does. */
  listDeadLetters(query: DeadLetterQuery): Promise<LedgerPage & { readonly deadLetters: readonly DeadLetter[] }>;
  /** Null when there is none with the public id. */
  findLedger(publicId: string): Promise<Ledger | null>;
  /** A subscription, deleted or not, by its public id. Throws `ledger_not_found`. */
  getRecorded(publicId: string): Promise<{
    readonly subscription: Subscription & Pick<Ledger, 'deletedAt' | 'deletedBy'>;
    readonly stats: SubscriptionStats;
  }>;
}

export function createAudit(store: Store): AuditVerbs {
  async function listAcknowledgments(query: AcknowledgmentQuery) {
    const { limit, after = startCursor, client = null } = query;
    const filter = toFilter(query, client);
    const ledger = await findOf(store, query, after);
    const read = (rows: number) =>
      store.ledger.listAcknowledgments(ledger, { ...filter, after: after.position, limit: rows });
    const { items, hasMore } = await readPage(limit, read, ({ ackNo }) => ackNo);
    const acknowledgments = client === null ? items : items.map((row) => withoutOthers(row, client));
    return { ledger, acknowledgments, ...endOf(ledger, items.at(-1)?.ackNo ?? after.position, hasMore) };
  }

  async function listDeadLetters(query: DeadLetterQuery) {
    const { limit, after = startCursor, client = null, reason } = query;
    const ledger = await findOf(store, query, after);
    const filter = { after: after.position, limit, reason: reason ?? null };
    const { deadLetters: letters, more } = await store.ledger.listDeadLetters(ledger, filter);
    const deadLetters = client === null ? letters : letters.map((letter) => withoutOthersAttempts(letter, client));
    return { ledger, deadLetters, ...endOf(ledger, letters.at(-1)?.deadLetterNo ?? after.position, more) };
  }

  async function getRecorded(publicId: string) {
    const subscription = await store.subscriptions.findByPublicId(publicId);
    if (subscription === null) throw new WillcallError('ledger_not_found', { ledger: publicId });
    return { subscription, stats: await store.subscriptions.stats(subscription) };
  }

  const { findLedger } = store.subscriptions;
  return { listAcknowledgments, listDeadLetters, findLedger, getRecorded };
}

function endOf({ publicId }: Ledger, position: number, hasMore: boolean) {
  return { next: formatCursor(publicId, position), hasMore };
}

/** The ledger that is asked for, if the cursor is of it. */
export async function findOf(store: Store, { subscription, ledger }: LedgerOf, after: Cursor): Promise<Ledger> {
  if (subscription !== undefined) return findByName(store, subscription, after);
  const found = await store.subscriptions.findLedger(ledger);
  if (found === null) throw new WillcallError('ledger_not_found', { ledger });
  if (after.ledger !== null && after.ledger !== ledger) throw foreignCursor();
  return found;
}

async function findByName(store: Store, subscription: string, after: Cursor): Promise<Ledger> {
  const [newest, earlier] = await store.subscriptions.findLedgers(subscription);
  if (newest === undefined) throw new WillcallError('subscription_not_found', { subscription });
  if (after.ledger === newest.publicId) return newest;
  if (after.ledger === null) {
    // A number is of some ledger of the name; of which one is known while there is only one.
    if (earlier === undefined || after.position === 0) return newest;
    throw new WillcallError('ledger_replaced', { subscription, ledger: null });
  }
  const meant = await store.subscriptions.findLedger(after.ledger);
  if (meant?.subscription !== subscription) throw foreignCursor();
  throw new WillcallError('ledger_replaced', { subscription, ledger: after.ledger });
}

function foreignCursor(): WillcallError {
  return new WillcallError('invalid_request', { fields: [{ path: ['after'], rule: 'cursor' }] });
}

/** Throws `invalid_request` for a span of time that ends before it begins. */
export function checkSpan(from: Date | undefined, until: Date | undefined, end: string): void {
  if (from === undefined || until === undefined || until >= from) return;
  throw new WillcallError('invalid_request', { fields: [{ path: [end], rule: 'not_before', other: 'from' }] });
}

/** The filter for the store. A reader who knows one client's rows can query no others. */
export function toFilter(
  { from, until, messageId, acknowledgedBy, keyId, reference, bodySha256 }: AcknowledgmentFilter,
  client: Principal | null = null,
) {
  checkSpan(from, until, 'until');
  const id = messageId === undefined ? undefined : parseMessageId(messageId);
  if (id === null)
    throw new WillcallError('invalid_request', { fields: [{ path: ['messageId'], rule: 'message_id' }] });
  const asksForSome = acknowledgedBy ?? keyId ?? reference;
  if (client !== null && acknowledgedBy !== undefined && acknowledgedBy !== client) {
    throw new WillcallError('forbidden', 'The key reads only what its own client signed.');
  }
  const signedBy = client !== null && asksForSome !== undefined ? client : acknowledgedBy;
  return { from, until, messageId: id, acknowledgedBy: signedBy, keyId, reference, bodySha256 };
}
