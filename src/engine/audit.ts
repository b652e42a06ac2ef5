// Reading the ledger and the dead letters page by page, also those of deleted subscriptions.

import { WillcallError } from '../domain/errors.ts';
import type { Acknowledgment, DeadLetter, DeadLetterReason } from '../domain/ledger.ts';
import { parseMessageId } from '../domain/message-id.ts';
import type { Store } from '../store/index.ts';
import type { SubscriptionKey } from '../store/subscriptions.ts';
import { type PageRequest, readPage } from './pages.ts';

export interface AcknowledgmentQuery extends PageRequest<number> {
  readonly subscription: string;
  /** Inclusive. */
  readonly from?: Date | undefined;
  /** Exclusive. */
  readonly until?: Date | undefined;
  readonly messageId?: string | undefined;
  readonly acknowledgedBy?: string | undefined;
}

export interface DeadLetterQuery extends PageRequest<number> {
  readonly subscription: string;
  readonly reason?: DeadLetterReason | undefined;
}

export interface AuditVerbs {
  /** In order of `ackNo`; works for deleted subscriptions too. Throws `subscription_not_found`. */
  listAcknowledgments(
    query: AcknowledgmentQuery,
  ): Promise<{ acknowledgments: readonly Acknowledgment[]; next: number | null }>;
  /** Open dead letters in order of `deadLetterNo`. Throws `subscription_not_found`. */
  listDeadLetters(query: DeadLetterQuery): Promise<{ deadLetters: readonly DeadLetter[]; next: number | null }>;
}

export function createAudit(store: Store): AuditVerbs {
  async function listAcknowledgments({ subscription, limit, ...query }: AcknowledgmentQuery) {
    const key = await requireRecorded(store, subscription);
    const messageId = query.messageId === undefined ? null : parseMessageId(query.messageId);
    // A text that is no message id was never acknowledged.
    if (query.messageId !== undefined && messageId === null) return { acknowledgments: [], next: null };
    const filter = {
      after: query.after ?? 0,
      from: query.from ?? null,
      until: query.until ?? null,
      messageId,
      acknowledgedBy: query.acknowledgedBy ?? null,
    };
    const read = (rows: number) => store.ledger.listAcknowledgments(key, { ...filter, limit: rows });
    const { items, next } = await readPage(limit, read, ({ ackNo }) => ackNo);
    return { acknowledgments: items, next };
  }

  async function listDeadLetters({ subscription, limit, after = 0, reason }: DeadLetterQuery) {
    const key = await requireRecorded(store, subscription);
    const filter = { after, limit, reason: reason ?? null };
    const { deadLetters, more } = await store.ledger.listDeadLetters(key, filter);
    return { deadLetters, next: more ? (deadLetters.at(-1)?.deadLetterNo ?? null) : null };
  }

  return { listAcknowledgments, listDeadLetters };
}

async function requireRecorded(store: Store, name: string): Promise<SubscriptionKey> {
  const key = await store.subscriptions.findRecorded(name);
  if (key === null) throw new WillcallError('subscription_not_found', { subscription: name });
  return key;
}
