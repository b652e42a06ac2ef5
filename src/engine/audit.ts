// What auditors and operators read: the ledger and the dead letters, page by page, for deleted subscriptions too.

import { WillcallError } from '../domain/errors.ts';
import type { Acknowledgment, DeadLetter, DeadLetterReason } from '../domain/ledger.ts';
import { parseMessageId } from '../domain/message-id.ts';
import type { Store } from '../store/index.ts';
import type { SubscriptionKey } from '../store/subscriptions.ts';
import type { PageRequest } from './pages.ts';

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
  return {
    listAcknowledgments: async (query: AcknowledgmentQuery) => {
      const key = await requireRecorded(store, query.subscription);
      const messageId = query.messageId === undefined ? null : parseMessageId(query.messageId);
      // What is no message id was never acknowledged.
      if (query.messageId !== undefined && messageId === null) return { acknowledgments: [], next: null };
      const rows = await store.ledger.listAcknowledgments(key, {
        after: query.after ?? 0,
        limit: query.limit + 1,
        from: query.from ?? null,
        until: query.until ?? null,
        messageId,
        acknowledgedBy: query.acknowledgedBy ?? null,
      });
      const page = rows.slice(0, query.limit);
      return { acknowledgments: page, next: rows.length > query.limit ? (page.at(-1)?.ackNo ?? null) : null };
    },

    listDeadLetters: async (query: DeadLetterQuery) => {
      const key = await requireRecorded(store, query.subscription);
      const { deadLetters, more } = await store.ledger.listDeadLetters(key, {
        after: query.after ?? 0,
        limit: query.limit,
        reason: query.reason ?? null,
      });
      return { deadLetters, next: more ? (deadLetters.at(-1)?.deadLetterNo ?? null) : null };
    },
  };
}

async function requireRecorded(store: Store, name: string): Promise<SubscriptionKey> {
  const key = await store.subscriptions.findRecorded(name);
  if (key === null) throw new WillcallError('subscription_not_found', { subscription: name });
  return key;
}
