// Retention: records and passes over what outlived its topic's retention, and prunes what is
// settled. Queries, of a thousand subscriptions or topics each, find where there is something to
// do; bounded steps do it there and check again under their locks. So an idle subscription costs no
// statement of its own. See migrations/functions/retention/due-retention.sql and
// docs/decisions/0017-retention-looks-first.md.

import { WillcallError } from '../../domain/errors.ts';
import type { Logger } from '../../domain/logger.ts';
import type { Store } from '../../store/index.ts';
import type { DueSubscription, DueTopic, RetentionFloors, SubscriptionToLookAt } from '../../store/retention.ts';
import type { SubscriptionKey } from '../../store/subscriptions.ts';
import type { DeadLetterLog } from '../dead-letter-log.ts';

const STEP_ROWS_MAX = 1_000;
const STEPS_MAX = 200;
/** Subscriptions or topics of one query. */
const QUERY_KEYS_MAX = 1_000;
/**
 * At the start and after so long the floors are forgotten, so that the queries see everything and
 * what is gone is not remembered for ever. These full queries include subscriptions that were
 * deleted long ago, for the ledgers that they left.
 */
const FULL_QUERY_MS = 3_600_000;

const UNKNOWN: RetentionFloors = { deliveryNo: 0, markedAt: null, ackNo: 0 };

export type RetainReport = {
  /** Messages that no client collected in time. */
  readonly expired: number;
  /** Messages that became dead letters of their own. */
  readonly dead: number;
  /** Messages that every subscription had settled. */
  readonly pruned: number;
};

export interface RetentionDeps {
  readonly store: Store;
  readonly logger: Logger;
  readonly deadLetterLog: DeadLetterLog;
}

/** A run under way. */
interface Run {
  readonly report: { -readonly [K in keyof RetainReport]: number };
  /** Awaits the work; keeps its fault for later and resolves to null then. */
  attempt<T>(work: Promise<T>): Promise<T | null>;
}

/**
 * Remembers floors between runs, so that neither queries nor steps walk over what earlier ones
 * removed.
 */
export function createRetention({ store, logger, deadLetterLog }: RetentionDeps) {
  const subscriptions = createSubscriptionRounds(store, deadLetterLog);
  const topics = createTopicRounds(store);
  let fullQueryAt = Number.NEGATIVE_INFINITY;

  /** Does one whole run. A fault stops nothing else; the first is thrown at the end. */
  async function run(): Promise<RetainReport> {
    const isFull = performance.now() - fullQueryAt > FULL_QUERY_MS;
    if (isFull) fullQueryAt = performance.now();
    const { report, faults, attempt } = createRun();
    await attempt(store.retention.rotateDedupeKeys());
    await attempt(subscriptions.round({ report, attempt }, isFull));
    await attempt(topics.round({ report, attempt }, isFull));
    const { expired, dead, pruned } = report;
    if (expired + dead > 0) logger.warn({ expired, dead }, 'messages outlived their retention uncollected');
    if (pruned > 0) logger.info({ pruned }, 'pruned messages that every subscription has settled');
    if (faults.length > 0) throw faults[0];
    return report;
  }

  return { run };
}

function createRun(): Run & { readonly faults: readonly unknown[] } {
  const faults: unknown[] = [];

  async function attempt<T>(work: Promise<T>): Promise<T | null> {
    try {
      return await work;
    } catch (error) {
      // Without a database nothing else can be done either.
      if (error instanceof WillcallError && error.code === 'database_unavailable') throw error;
      faults.push(error);
      return null;
    }
  }

  return { report: { expired: 0, dead: 0, pruned: 0 }, faults, attempt };
}

function createSubscriptionRounds(store: Store, deadLetterLog: DeadLetterLog) {
  const known = new Map<number, RetentionFloors>();

  async function retain({ floors, ...key }: DueSubscription, run: Run): Promise<void> {
    let floor = floors.deliveryNo;
    for (let step = 0; step < STEPS_MAX; step += 1) {
      const outcome = await store.retention.retainSubscription(key, floor, STEP_ROWS_MAX);
      run.report.expired += outcome.expired;
      run.report.dead += outcome.dead;
      // What expired undelivered is one dead letter for all of it.
      deadLetterLog.note(key, outcome.dead + Math.min(outcome.expired, 1));
      const dropped = (outcome.deliveryFloor ?? floor) - floor;
      floor += dropped;
      known.set(key.subscriptionId, { ...floors, deliveryNo: floor });
      if (outcome.dead < STEP_ROWS_MAX && dropped < STEP_ROWS_MAX) break;
    }
  }

  async function pruneLedger(key: SubscriptionKey): Promise<void> {
    for (let step = 0; step < STEPS_MAX; step += 1) {
      const pruned = await store.retention.pruneLedger(key, STEP_ROWS_MAX);
      const floors = known.get(key.subscriptionId) ?? UNKNOWN;
      // Numbers are dense and the lowest go first, so at least so many numbers from the floor on
      // are gone.
      known.set(key.subscriptionId, { ...floors, ackNo: floors.ackNo + pruned });
      if (pruned < STEP_ROWS_MAX) break;
    }
  }

  async function round(run: Run, isFull: boolean): Promise<void> {
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
  }

  return { round };
}

function createTopicRounds(store: Store) {
  const floors = new Map<number, number>();

  async function prune({ topicId }: DueTopic, run: Run): Promise<void> {
    for (let step = 0; step < STEPS_MAX; step += 1) {
      const outcome = await store.retention.pruneTopic(topicId, floors.get(topicId) ?? null, STEP_ROWS_MAX);
      floors.set(topicId, outcome.floor);
      run.report.pruned += outcome.pruned;
      if (outcome.pruned < STEP_ROWS_MAX) break;
    }
  }

  async function round(run: Run, isFull: boolean): Promise<void> {
    if (isFull) floors.clear();
    for await (const topicIds of pagesOf(store.topics.listIds)) {
      const page = topicIds.map((topicId) => ({ topicId, floor: floors.get(topicId) ?? 0 }));
      const found = await run.attempt(store.retention.findDueTopics(page));
      for (const due of found ?? page.map((topic) => ({ ...topic, prunes: true }))) {
        floors.set(due.topicId, due.floor);
        if (due.prunes) await run.attempt(prune(due, run));
      }
    }
  }

  return { round };
}

/** A query that failed says nothing of its page: then each step finds out for itself. */
function dueForAll(key: SubscriptionToLookAt): DueSubscription {
  return { ...key, retains: true, prunesLedger: true };
}

async function* pagesOf<Key>(list: (after: Key | null, limit: number) => Promise<Key[]>): AsyncGenerator<Key[]> {
  let after: Key | null = null;
  for (;;) {
    const page: Key[] = await list(after, QUERY_KEYS_MAX);
    if (page.length > 0) yield page;
    if (page.length < QUERY_KEYS_MAX) return;
    after = page.at(-1) ?? null;
  }
}
