// Retention, once a minute on every instance: what outlived its topic's retention is recorded and passed over, what
// everybody settled is pruned after its time. Looks, a thousand subscriptions or topics in one statement, say where there is
// something to do; bounded steps do it there and look again under their locks. So what lies idle costs no statement of its
// own. See migrations/functions/retention/due-retention.sql and docs/decisions/0017-retention-looks-first.md.

import { WillcallError } from '../../domain/errors.ts';
import type { Logger } from '../../domain/logger.ts';
import type { Store } from '../../store/index.ts';
import type { DueSubscription, DueTopic, RetentionFloors, SubscriptionToLookAt } from '../../store/retention.ts';
import type { SubscriptionKey } from '../../store/subscriptions.ts';

const STEP_ROWS_MAX = 1_000;
const STEPS_MAX = 200;
/** Subscriptions or topics of one look. */
const LOOK_KEYS_MAX = 1_000;
/**
 * At the start and after so long floors are forgotten: the next looks see everything, and what is gone is not remembered
 * for ever. They are also at subscriptions that were deleted long ago, for the ledgers that those left.
 */
const FULL_LOOK_MS = 3_600_000;

const UNKNOWN: RetentionFloors = { deliveryNo: 0, markedAt: null, ackNo: 0 };

export interface RetainReport {
  /** Messages that nobody collected in time. */
  readonly expired: number;
  /** Messages that became dead letters of their own. */
  readonly dead: number;
  readonly pruned: number;
}

/** A run that is going on: what it did, and what it could not do. */
interface Run {
  readonly report: { -readonly [K in keyof RetainReport]: number };
  /** Waits for the work and keeps its fault for later; null then. */
  attempt<T>(work: Promise<T>): Promise<T | null>;
}

/** Floors are remembered between runs, so that neither looks nor steps walk over what the last ones removed. */
export function createRetention(options: { store: Store; logger: Logger }) {
  const { store } = options;
  const subscriptions = createSubscriptionRounds(store);
  const topics = createTopicRounds(store);
  let fullLookAt = Number.NEGATIVE_INFINITY;

  return {
    /** One whole run. What fails keeps nothing else from being done; the first fault is thrown at the end. */
    run: async (): Promise<RetainReport> => {
      const isFull = performance.now() - fullLookAt > FULL_LOOK_MS;
      if (isFull) fullLookAt = performance.now();
      const faults: unknown[] = [];
      const run: Run = {
        report: { expired: 0, dead: 0, pruned: 0 },
        attempt: async (work) => {
          try {
            return await work;
          } catch (error) {
            // Without a database there is no going on with the others either.
            if (error instanceof WillcallError && error.code === 'database_unavailable') throw error;
            faults.push(error);
            return null;
          }
        },
      };
      await run.attempt(store.retention.rotateDedupeKeys());
      await run.attempt(subscriptions.round(run, isFull));
      await run.attempt(topics.round(run, isFull));
      if (faults.length > 0) throw faults[0];
      return run.report;
    },
  };
}

function createSubscriptionRounds(store: Store) {
  const known = new Map<number, RetentionFloors>();

  const retain = async ({ floors, ...key }: DueSubscription, run: Run): Promise<void> => {
    let floor = floors.deliveryNo;
    for (let step = 0; step < STEPS_MAX; step += 1) {
      const outcome = await store.retention.retainSubscription(key, floor, STEP_ROWS_MAX);
      run.report.expired += outcome.expired;
      run.report.dead += outcome.dead;
      const dropped = (outcome.deliveryFloor ?? floor) - floor;
      floor += dropped;
      known.set(key.subscriptionId, { ...floors, deliveryNo: floor });
      if (outcome.dead < STEP_ROWS_MAX && dropped < STEP_ROWS_MAX) break;
    }
  };

  const pruneLedger = async (key: SubscriptionKey): Promise<void> => {
    for (let step = 0; step < STEPS_MAX; step += 1) {
      const pruned = await store.retention.pruneLedger(key, STEP_ROWS_MAX);
      const floors = known.get(key.subscriptionId) ?? UNKNOWN;
      // Numbers are dense and the lowest go first, so at least so many numbers from the floor on are gone.
      known.set(key.subscriptionId, { ...floors, ackNo: floors.ackNo + pruned });
      if (pruned < STEP_ROWS_MAX) break;
    }
  };

  return {
    round: async (run: Run, isFull: boolean): Promise<void> => {
      if (isFull) known.clear();
      const list = (after: SubscriptionKey | null, limit: number) => store.subscriptions.listKeys(after, limit, isFull);
      for await (const keys of pagesOf(list)) {
        const page = keys.map((key) => ({ ...key, floors: known.get(key.subscriptionId) ?? UNKNOWN }));
        const found = await run.attempt(store.retention.findDueSubscriptions(page));
        for (const due of found ?? page.map(dueForAll)) {
          known.set(due.subscriptionId, due.floors);
          if (due.retains) await run.attempt(retain(due, run));
          if (due.prunesLedger) await run.attempt(pruneLedger(due));
        }
      }
    },
  };
}

function createTopicRounds(store: Store) {
  const floors = new Map<number, number>();

  const prune = async ({ topicId }: DueTopic, run: Run): Promise<void> => {
    for (let step = 0; step < STEPS_MAX; step += 1) {
      const outcome = await store.retention.pruneTopic(topicId, floors.get(topicId) ?? null, STEP_ROWS_MAX);
      floors.set(topicId, outcome.floor);
      run.report.pruned += outcome.pruned;
      if (outcome.pruned < STEP_ROWS_MAX) break;
    }
  };

  return {
    round: async (run: Run, isFull: boolean): Promise<void> => {
      if (isFull) floors.clear();
      for await (const topicIds of pagesOf(store.topics.listIds)) {
        const page = topicIds.map((topicId) => ({ topicId, floor: floors.get(topicId) ?? 0 }));
        const found = await run.attempt(store.retention.findDueTopics(page));
        for (const due of found ?? page.map((topic) => ({ ...topic, prunes: true }))) {
          floors.set(due.topicId, due.floor);
          if (due.prunes) await run.attempt(prune(due, run));
        }
      }
    },
  };
}

/** A look that failed says nothing of its page: then each step looks for itself. */
function dueForAll(key: SubscriptionToLookAt): DueSubscription {
  return { ...key, retains: true, prunesLedger: true };
}

async function* pagesOf<Key>(list: (after: Key | null, limit: number) => Promise<Key[]>): AsyncGenerator<Key[]> {
  let after: Key | null = null;
  for (;;) {
    const page: Key[] = await list(after, LOOK_KEYS_MAX);
    if (page.length > 0) yield page;
    if (page.length < LOOK_KEYS_MAX) return;
    after = page.at(-1) ?? null;
  }
}
