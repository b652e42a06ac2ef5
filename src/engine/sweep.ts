// The sweep, once a second on every instance: ends leases that are over, appends what is scheduled, and looks ahead, so
// that what falls due in the next seconds happens on time and not a second late. Nothing is owned by an instance: the
// functions look again under their lock, so two instances that sweep at once do nothing twice.

import type { Logger } from '../domain/logger.ts';
import type { DueLease, ExpireBatch, ExpireOutcome, FallingDue } from '../store/falling-due.ts';
import type { Store } from '../store/index.ts';
import { Batcher } from './batcher.ts';
import type { Dispatchers } from './dispatchers.ts';
import type { TimerWheel } from './timer-wheel.ts';
import type { Wakeups } from './wakeups.ts';

const AHEAD_MS = 2_000;
const ROWS_MAX = 1_000;
const ROUNDS_MAX = 50;
/** How far the floor stays behind the last complete look: longer than a statement that is still running may take. */
const FLOOR_MARGIN_MS = 12_000;
/** A deferred message that shows up later than that is found by the next receive or poll. */
const DEFERRED_FLOOR_MARGIN_MS = 2_000;
/** After so long everything is looked at again. */
const FULL_LOOK_MS = 60_000;
const APPEND_MAX = 500;

export interface SweepReport {
  readonly ended: number;
  readonly dead: number;
  readonly appended: number;
}

export interface Sweeper {
  /** One whole sweep; throws what the store throws. */
  run(): Promise<SweepReport>;
  drained(): Promise<void>;
}

export interface SweepOptions {
  readonly store: Store;
  readonly dispatchers: Dispatchers;
  readonly wakeups: Wakeups;
  readonly wheel: TimerWheel;
  readonly logger: Logger;
}

export function createSweeper(options: SweepOptions): Sweeper {
  const { store, wheel, logger } = options;
  const floors = { leases: null as Date | null, deferred: null as Date | null, fullLookAt: 0 };
  const expiries = createExpiryBatcher(store);

  const run = async (): Promise<SweepReport> => {
    if (performance.now() - floors.fullLookAt > FULL_LOOK_MS) {
      floors.leases = null;
      floors.fullLookAt = performance.now();
    }
    const total = { ended: 0, dead: 0, appended: 0 };
    for (let round = 0; round < ROUNDS_MAX; round += 1) {
      const due = await store.fallingDue.find(floors.leases, floors.deferred, AHEAD_MS, ROWS_MAX);
      const now = due.checkedAt.getTime();
      const expired = await expireLeases(
        options,
        expiries,
        due.leases.filter((lease) => lease.dueAt.getTime() <= now),
      );
      total.ended += expired.ended;
      total.dead += expired.dead;
      const past = due.scheduled.filter((one) => one.dueAt.getTime() <= now);
      total.appended += await appendScheduled(options, past);
      lookAhead(due, round === 0);
      floors.deferred = new Date(now - DEFERRED_FLOOR_MARGIN_MS);
      if (isWhole(due.leases, now) && isWhole(due.scheduled, now)) {
        floors.leases = new Date(now - FLOOR_MARGIN_MS);
        break;
      }
    }
    return total;
  };

  /** What falls due in the next seconds, to the millisecond, as far as somebody here waits for it. */
  const lookAhead = (due: FallingDue, first: boolean): void => {
    const now = due.checkedAt.getTime();
    for (const { subscriptionId, dueAt } of due.deferred) {
      options.dispatchers.wakeSubscriptionIn(subscriptionId, Math.max(0, dueAt.getTime() - now));
    }
    if (!first) return;
    for (const [delayMs, leases] of upcoming(due.leases, now)) {
      const awaited = leases.filter((lease) => options.dispatchers.hasWaiters(lease.subscriptionId));
      if (awaited.length > 0) at(delayMs, () => expireLeases(options, expiries, awaited));
    }
    for (const [delayMs, scheduled] of upcoming(due.scheduled, now)) {
      at(delayMs, () => appendScheduled(options, scheduled));
    }
  };

  const at = (delayMs: number, work: () => Promise<unknown>): void => {
    wheel.in(delayMs, () => {
      work().catch((err) => logger.warn({ err }, 'something due was not done on time; the next sweep does it'));
    });
  };

  return { run, drained: () => expiries.drained() };
}

type LeaseKey = Pick<DueLease, 'topicId' | 'subscriptionId' | 'deliveryNo' | 'leaseNo'>;

function createExpiryBatcher(store: Store): Batcher<LeaseKey, ExpireOutcome> {
  return new Batcher<LeaseKey, ExpireOutcome>({
    flush: async (groups, wait) => {
      const batches = groups.map(
        ({ entries }): ExpireBatch => ({
          topicId: entries[0]?.topicId ?? 0,
          subscriptionId: entries[0]?.subscriptionId ?? 0,
          leases: entries,
        }),
      );
      const outcomes = await store.fallingDue.expire(batches, wait);
      // The batch's outcome is told once, to the first of its leases; the others count nothing more.
      return outcomes.map((outcome, i) =>
        outcome.outcome === 'busy'
          ? 'busy'
          : (groups[i]?.entries ?? []).map((_, j) => (j === 0 ? outcome : { ...outcome, ended: 0, dead: 0 })),
      );
    },
    weigh: () => ({ items: 1, bytes: 0 }),
    groupsMax: 50,
    itemsMax: ROWS_MAX,
    bytesMax: Number.POSITIVE_INFINITY,
    flushesMax: 1,
    pendingBytesMax: Number.POSITIVE_INFINITY,
    pendingEntriesMax: 100_000,
  });
}

async function expireLeases(
  { wakeups }: SweepOptions,
  expiries: Batcher<LeaseKey, ExpireOutcome>,
  leases: readonly LeaseKey[],
): Promise<{ ended: number; dead: number }> {
  const outcomes = await Promise.all(
    leases.map(async (lease) => ({ lease, outcome: await expiries.submit(lease.subscriptionId, lease) })),
  );
  for (const { lease, outcome } of outcomes) {
    // Whatever became of the messages, there is room now under max_in_flight. A receive that finds nothing due yet learns
    // from the database when to look again.
    if (outcome.ended > 0) wakeups.wakeSubscription(lease.subscriptionId);
  }
  return {
    ended: outcomes.reduce((sum, { outcome }) => sum + outcome.ended, 0),
    dead: outcomes.reduce((sum, { outcome }) => sum + outcome.dead, 0),
  };
}

async function appendScheduled(
  { store, wakeups }: SweepOptions,
  scheduled: readonly { topicId: number; scheduledNo: number }[],
): Promise<number> {
  const byTopic = Map.groupBy(scheduled, ({ topicId }) => topicId);
  let appended = 0;
  for (const [topicId, ofTopic] of byTopic) {
    for (let i = 0; i < ofTopic.length; i += APPEND_MAX) {
      const numbers = ofTopic.slice(i, i + APPEND_MAX).map(({ scheduledNo }) => scheduledNo);
      const count = await store.fallingDue.appendScheduled(topicId, numbers);
      appended += count;
      if (count > 0) wakeups.wakeTopic(topicId);
    }
  }
  return appended;
}

/** Whether a look saw everything that was due then: rows come in order of time, so one from the future ends it. */
function isWhole(rows: readonly { dueAt: Date }[], now: number): boolean {
  return rows.length < ROWS_MAX || (rows.at(-1)?.dueAt.getTime() ?? 0) > now;
}

/** By how many milliseconds from now, coalesced to hundredths of a second; what is due already is left out. */
function upcoming<T extends { dueAt: Date }>(rows: readonly T[], now: number): Map<number, T[]> {
  const future = rows.filter((row) => row.dueAt.getTime() > now);
  return Map.groupBy(future, (row) => Math.ceil((row.dueAt.getTime() - now) / 10) * 10 + 1);
}
