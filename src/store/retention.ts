// Retention: finds for many subscriptions and topics at once what there is to do, and does it in
// bounded steps. The SQL is in migrations/functions/retention.

import type { Db } from './postgres/db.ts';
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

/** Below which nothing of a subscription is left; what is not known is 0 or null. */
export interface RetentionFloors {
  readonly deliveryNo: number;
  readonly markedAt: Date | null;
  readonly ackNo: number;
}

export interface SubscriptionToLookAt extends SubscriptionKey {
  readonly floors: RetentionFloors;
}

/** What a check says about a subscription. */
export interface DueSubscription extends SubscriptionToLookAt {
  /** Whether `retainSubscription` has something to do now. */
  readonly retains: boolean;
  /** Whether `pruneLedger` has. */
  readonly prunesLedger: boolean;
}

export interface TopicToLookAt {
  readonly topicId: number;
  /** Nothing of its log is left up to there; 0 where that is not known. */
  readonly floor: number;
}

export interface DueTopic extends TopicToLookAt {
  readonly prunes: boolean;
}

interface DueSubscriptionRow {
  topic_id: number;
  subscription_id: number;
  retains: boolean;
  prunes_ledger: boolean;
  delivery_floor: number;
  /** Not a Date where there is no mark at all. */
  mark_floor: Date | number | null;
  ledger_floor: number;
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

  const looks = createLooks(db);
  const rotate = db.prepare('rotate_dedupe_keys', 'select willcall.rotate_dedupe_keys() as did');

  return {
    ...looks,

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
        key.topicId,
        key.subscriptionId,
        deliveryFloor,
        limit,
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

function createLooks(db: Db) {
  const dueRetention = db.prepare(
    'due_retention',
    `select * from willcall.due_retention(
       $1::integer[], $2::integer[], $3::bigint[], $4::timestamptz[], $5::bigint[]
     )`,
  );
  const duePruning = db.prepare('due_pruning', 'select * from willcall.due_pruning($1::integer[], $2::bigint[])');

  return {
    /** Those with something to do, and those with better floors, in no order. */
    findDueSubscriptions: async (keys: readonly SubscriptionToLookAt[]): Promise<DueSubscription[]> => {
      const rows = await db.call<DueSubscriptionRow>(dueRetention, [
        keys.map(({ topicId }) => topicId),
        keys.map(({ subscriptionId }) => subscriptionId),
        keys.map(({ floors }) => floors.deliveryNo),
        keys.map(({ floors }) => floors.markedAt ?? '-infinity'),
        keys.map(({ floors }) => floors.ackNo),
      ]);
      return rows.map((row) => ({
        topicId: row.topic_id,
        subscriptionId: row.subscription_id,
        retains: row.retains,
        prunesLedger: row.prunes_ledger,
        floors: {
          deliveryNo: row.delivery_floor,
          markedAt: row.mark_floor instanceof Date ? row.mark_floor : null,
          ackNo: row.ledger_floor,
        },
      }));
    },

    /** Those with something to drop, and those with better floors, in no order. */
    findDueTopics: async (topics: readonly TopicToLookAt[]): Promise<DueTopic[]> => {
      const rows = await db.call<{ topic_id: number; prunes: boolean; floor: number }>(duePruning, [
        topics.map(({ topicId }) => topicId),
        topics.map(({ floor }) => floor),
      ]);
      return rows.map(({ topic_id, prunes, floor }) => ({ topicId: topic_id, prunes, floor }));
    },
  };
}
