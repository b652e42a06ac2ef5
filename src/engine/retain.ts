// Retention, once a minute on every instance, in bounded steps: what outlived its topic's retention is recorded and passed
// over, what everybody settled is pruned after its time. See migrations/functions/retain.sql.

import { WillcallError } from '../domain/errors.ts';
import type { Logger } from '../domain/logger.ts';
import type { Store } from '../store/index.ts';
import type { SubscriptionKey } from '../store/subscriptions.ts';

const STEP_ROWS_MAX = 1_000;
const STEPS_MAX = 200;

export interface RetainReport {
  /** Messages that nobody collected in time. */
  readonly expired: number;
  /** Messages that became dead letters of their own. */
  readonly dead: number;
  readonly pruned: number;
}

type Report = { -readonly [K in keyof RetainReport]: number };

/** Floors are remembered between runs, so that a step does not walk over what the last one removed. */
export function createRetention(options: { store: Store; logger: Logger }) {
  const { store } = options;
  const deliveryFloors = new Map<number, number>();
  const topicFloors = new Map<number, number>();

  const retainSubscription = async (key: SubscriptionKey, report: Report): Promise<void> => {
    for (let step = 0; step < STEPS_MAX; step += 1) {
      const floor = deliveryFloors.get(key.subscriptionId) ?? null;
      const outcome = await store.retention.retainSubscription(key, floor, STEP_ROWS_MAX);
      report.expired += outcome.expired;
      report.dead += outcome.dead;
      const pruned = (outcome.deliveryFloor ?? 0) - (floor ?? 0);
      if (outcome.deliveryFloor !== null) deliveryFloors.set(key.subscriptionId, outcome.deliveryFloor);
      if (outcome.dead < STEP_ROWS_MAX && pruned < STEP_ROWS_MAX) break;
    }
    while ((await store.retention.pruneLedger(key, STEP_ROWS_MAX)) === STEP_ROWS_MAX);
  };

  const pruneTopic = async (topicId: number, report: Report): Promise<void> => {
    for (let step = 0; step < STEPS_MAX; step += 1) {
      const outcome = await store.retention.pruneTopic(topicId, topicFloors.get(topicId) ?? null, STEP_ROWS_MAX);
      topicFloors.set(topicId, outcome.floor);
      report.pruned += outcome.pruned;
      if (outcome.pruned < STEP_ROWS_MAX) break;
    }
  };

  return {
    /** One whole run. What fails keeps nothing else from being done; the first fault is thrown at the end. */
    run: async (): Promise<RetainReport> => {
      const report: Report = { expired: 0, dead: 0, pruned: 0 };
      const faults: unknown[] = [];
      const attempt = async (work: Promise<unknown>): Promise<void> => {
        try {
          await work;
        } catch (error) {
          // Without a database there is no going on with the others either.
          if (error instanceof WillcallError && error.code === 'database_unavailable') throw error;
          faults.push(error);
        }
      };
      await attempt(store.retention.rotateDedupeKeys());
      for (const key of await store.subscriptions.listKeys()) await attempt(retainSubscription(key, report));
      for (const topicId of await store.topics.listIds()) await attempt(pruneTopic(topicId, report));
      if (faults.length > 0) throw faults[0];
      return report;
    },
  };
}
