// Retention: bounded steps that expire, bury, mark and prune. See migrations/functions/retain.sql.

import type { Db } from './db.ts';
import type { SubscriptionKey } from './subscriptions.ts';

export interface RetainOutcome {
  /** Messages that outlived their retention undelivered. */
  readonly expired: number;
  /** Deferred messages that became dead letters. */
  readonly dead: number;
  readonly deliveryFloor: number | null;
}

export interface PruneOutcome {
  readonly pruned: number;
  readonly floor: number;
}

export type RetentionStore = ReturnType<typeof createRetentionStore>;

export function createRetentionStore(db: Db) {
  const retain = db.prepare(
    'retain_subscription',
    'select * from willcall.retain_subscription($1::integer, $2::integer, $3::bigint, $4::integer)',
  );
  const prune = db.prepare('prune_topic', 'select * from willcall.prune_topic($1::integer, $2::bigint, $3::integer)');
  const pruneLedger = db.prepare(
    'prune_ledger',
    'select willcall.prune_ledger($1::integer, $2::integer, $3::integer) as pruned',
  );

  const rotate = db.prepare('rotate_dedupe_keys', 'select willcall.rotate_dedupe_keys() as did');

  return {
    /** Forgets dedupe keys that are past every topic's window, a table at a time. */
    rotateDedupeKeys: async (): Promise<'emptied' | 'turned' | 'nothing'> => {
      const rows = await db.call<{ did: 'emptied' | 'turned' | 'nothing' }>(rotate, []);
      return rows[0]?.did ?? 'nothing';
    },

    retainSubscription: async (
      key: SubscriptionKey,
      deliveryFloor: number | null,
      limit: number,
    ): Promise<RetainOutcome> => {
      const rows = await db.call<{ expired: number; dead: number; delivery_floor: number | null }>(retain, [
        ...[key.topicId, key.subscriptionId, deliveryFloor, limit],
      ]);
      return {
        expired: rows[0]?.expired ?? 0,
        dead: rows[0]?.dead ?? 0,
        deliveryFloor: rows[0]?.delivery_floor ?? null,
      };
    },

    pruneTopic: async (topicId: number, floor: number | null, limit: number): Promise<PruneOutcome> => {
      const rows = await db.call<PruneOutcome>(prune, [topicId, floor, limit]);
      return { pruned: rows[0]?.pruned ?? 0, floor: rows[0]?.floor ?? 0 };
    },

    pruneLedger: async (key: SubscriptionKey, limit: number): Promise<number> => {
      const rows = await db.call<{ pruned: number }>(pruneLedger, [key.topicId, key.subscriptionId, limit]);
      return rows[0]?.pruned ?? 0;
    },
  };
}
