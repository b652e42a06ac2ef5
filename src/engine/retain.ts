// Retention, once a minute on every instance, in bounded steps: what outlived its topic's retention is recorded and passed
// over, what everybody settled is pruned after its time. See migrations/functions/retain.sql.

import type { Logger } from '../domain/logger.ts';
import type { Store } from '../store/index.ts';

const STEP_ROWS_MAX = 1_000;
const STEPS_MAX = 200;

export interface RetainReport {
  /** Messages that nobody collected in time. */
  readonly expired: number;
  /** Messages that became dead letters of their own. */
  readonly dead: number;
  readonly pruned: number;
}

/** Floors are remembered between runs, so that a step does not walk over what the last one removed. */
export function createRetention(options: { store: Store; logger: Logger }) {
  const { store } = options;
  const deliveryFloors = new Map<number, number>();
  const topicFloors = new Map<number, number>();

  const retainSubscriptions = async (): Promise<{ expired: number; dead: number }> => {
    const total = { expired: 0, dead: 0 };
    for (const key of await store.subscriptions.listKeys()) {
      for (let step = 0; step < STEPS_MAX; step += 1) {
        const floor = deliveryFloors.get(key.subscriptionId) ?? null;
        const outcome = await store.retention.retainSubscription(key, floor, STEP_ROWS_MAX);
        total.expired += outcome.expired;
        total.dead += outcome.dead;
        const pruned = (outcome.deliveryFloor ?? 0) - (floor ?? 0);
        if (outcome.deliveryFloor !== null) deliveryFloors.set(key.subscriptionId, outcome.deliveryFloor);
        if (outcome.dead < STEP_ROWS_MAX && pruned < STEP_ROWS_MAX) break;
      }
      while ((await store.retention.pruneLedger(key, STEP_ROWS_MAX)) === STEP_ROWS_MAX);
    }
    return total;
  };

  const pruneTopics = async (): Promise<number> => {
    let pruned = 0;
    for (const topicId of await store.topics.listIds()) {
      for (let step = 0; step < STEPS_MAX; step += 1) {
        const outcome = await store.retention.pruneTopic(topicId, topicFloors.get(topicId) ?? null, STEP_ROWS_MAX);
        topicFloors.set(topicId, outcome.floor);
        pruned += outcome.pruned;
        if (outcome.pruned < STEP_ROWS_MAX) break;
      }
    }
    return pruned;
  };

  return {
    /** One whole run; throws what the store throws. */
    run: async (): Promise<RetainReport> => {
      await store.retention.rotateDedupeKeys();
      const { expired, dead } = await retainSubscriptions();
      return { expired, dead, pruned: await pruneTopics() };
    },
  };
}
