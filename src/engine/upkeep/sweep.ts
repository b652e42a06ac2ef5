// The sweep: ends expired leases, appends scheduled messages, and plans the next seconds. What
// falls due before the next sweep happens on time and not a second late. The functions check again
// under their lock, so two instances that sweep at once do nothing twice.

import type { Logger } from '../../domain/logger.ts';
import type { DueLease, ExpireBatch, ExpireOutcome, FallingDue } from '../../store/due.ts';
import type { Store } from '../../store/index.ts';
import { Batcher } from '../batching/batcher.ts';
import { Slots } from '../batching/slots.ts';
import type { DeadLetterLog } from '../dead-letter-log.ts';
import type { Dispatchers } from '../waiting/dispatchers.ts';
import type { Wakeups } from '../waiting/wakeups.ts';
import { ClockWatch } from './clock-watch.ts';

const AHEAD_MS = 2_000;
const ROWS_MAX = 1_000;
const ROUNDS_MAX = 50;
/**
 * How far the floor stays behind the last complete query: longer than a running statement may take.
 */
const FLOOR_MARGIN_MS = 12_000;
/** A deferred message that is committed later than that is found by the next receive or poll. */
const DEFERRED_FLOOR_MARGIN_MS = 2_000;
/** After so long the floors are forgotten, and a query sees everything. */
const FULL_QUERY_MS = 60_000;
const APPEND_MAX = 500;
/** Timers fire up to a millisecond early, and instants are cut to the millisecond. */
const EARLY_MS = 2;

export type SweepReport = {
  /** Deliveries of a message that ended with their lease. */
  readonly ended: number;
  /** Those of them that were the message's last. */
  readonly dead: number;
  /** Scheduled messages that entered the log. */
  readonly appended: number;
};

export interface Sweeper {
  /** Does one whole sweep. A fault stops nothing else; the first is thrown at the end. */
  run(): Promise<SweepReport>;
  /** Forgets what falls due later; resolves when nothing is on its way. */
  stop(): Promise<void>;
}

export interface SweepDeps {
  readonly store: Store;
  readonly dispatchers: Dispatchers;
  readonly wakeups: Wakeups;
  readonly logger: Logger;
  readonly lockWaits: Slots;
  readonly deadLetterLog: DeadLetterLog;
}

export function createSweeper(deps: SweepDeps): Sweeper {
  const { store, logger, dispatchers } = deps;
  let stopped = false;
  const floors = { leases: null as Date | null, deferred: null as Date | null, fullQueryAt: 0 };
  const clock = new ClockWatch();
  const expiries = createExpiryBatcher(store, deps.lockWaits);
  const context = { ...deps, expiries };

  async function run(): Promise<SweepReport> {
    if (performance.now() - floors.fullQueryAt > FULL_QUERY_MS) {
      floors.leases = null;
      floors.fullQueryAt = performance.now();
    }
    const tally = createTally();
    for (let round = 0; round < ROUNDS_MAX; round += 1) {
      const beforeMs = performance.now();
      const due = await store.fallingDue.find(floors.leases, floors.deferred, AHEAD_MS, ROWS_MAX);
      const now = due.checkedAt.getTime();
      const setBackMs = clock.read({ databaseMs: now, beforeMs, afterMs: performance.now() });
      if (setBackMs > 0) {
        onClockSetBack(setBackMs);
        continue;
      }
      const isDue = ({ dueAt }: { dueAt: Date }) => dueAt.getTime() <= now;
      await expireLeases(context, due.leases.filter(isDue), tally);
      await appendScheduled(deps, due.scheduled.filter(isDue), tally);
      planAhead(due, round === 0);
      floors.deferred = new Date(now - DEFERRED_FLOOR_MARGIN_MS);
      if (isWhole(due.leases, now) && isWhole(due.scheduled, now)) {
        // What failed is found again.
        if (tally.faults.length === 0) floors.leases = new Date(now - FLOOR_MARGIN_MS);
        break;
      }
    }
    return report(tally);
  }

  /**
   * Floors that are ahead of the clock would hide what falls due until the clock has passed them.
   */
  function onClockSetBack(setBackMs: number): void {
    logger.warn({ setBackMs: Math.round(setBackMs) }, "the database's clock was set back");
    floors.leases = null;
    floors.deferred = null;
    dispatchers.forgetFloors();
  }

  /**
   * Plans what falls due in the next seconds, to the millisecond, as far as a waiter here awaits
   * it.
   */
  function planAhead(due: FallingDue, first: boolean): void {
    const now = due.checkedAt.getTime();
    for (const { subscriptionId, dueAt } of due.deferred) {
      dispatchers.wakeSubscriptionIn(subscriptionId, Math.max(0, dueAt.getTime() - now));
    }
    if (!first) return;
    for (const [delayMs, leases] of upcoming(due.leases, now)) {
      const awaited = leases.filter((lease) => dispatchers.hasWaiters(lease.subscriptionId));
      if (awaited.length > 0) at(delayMs, (tally) => expireLeases(context, awaited, tally));
    }
    for (const [delayMs, scheduled] of upcoming(due.scheduled, now)) {
      at(delayMs, (tally) => appendScheduled(deps, scheduled, tally));
    }
  }

  function at(delayMs: number, work: (tally: Tally) => Promise<void>): void {
    const tally = createTally();
    const logFaults = () => {
      for (const err of tally.faults) {
        logger.warn({ err }, 'something due was not done on time; the next sweep does it');
      }
    };
    setTimeout(() => {
      if (!stopped) void work(tally).then(logFaults);
    }, delayMs).unref();
  }

  function stop(): Promise<void> {
    stopped = true;
    return expiries.drained();
  }

  return { run, stop };
}

/** What a sweep did, and what it could not do. */
interface Tally {
  ended: number;
  dead: number;
  appended: number;
  readonly faults: unknown[];
}

function createTally(): Tally {
  return { ended: 0, dead: 0, appended: 0, faults: [] };
}

function report({ faults, ...done }: Tally): SweepReport {
  if (faults.length > 0) throw faults[0];
  return done;
}

type LeaseKey = Pick<DueLease, 'topicId' | 'subscriptionId' | 'deliveryNo' | 'leaseNo'>;

function createExpiryBatcher(store: Store, lockWaits: Slots): Batcher<LeaseKey, ExpireOutcome> {
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
      // The batch's outcome is counted once, for the first of its leases.
      return outcomes.map((outcome, i) =>
        outcome.outcome === 'busy'
          ? 'busy'
          : (groups[i]?.entries ?? []).map((_, j) => (j === 0 ? outcome : { ...outcome, ended: 0, dead: 0 })),
      );
    },
    weigh: () => ({ items: 1, bytes: 0 }),
    groupsMax: 50,
    itemsMax: ROWS_MAX,
    turns: new Slots(1),
    lockWaits,
    pendingEntriesMax: 100_000,
  });
}

/** Adds to the tally; throws nothing. Each subscription is woken when its own leases have ended. */
async function expireLeases(
  { wakeups, expiries, deadLetterLog }: SweepDeps & { expiries: Batcher<LeaseKey, ExpireOutcome> },
  leases: readonly LeaseKey[],
  tally: Tally,
): Promise<void> {
  const end = async (lease: LeaseKey): Promise<void> => {
    try {
      const { ended, dead } = await expiries.submit(lease.subscriptionId, lease);
      tally.ended += ended;
      tally.dead += dead;
      deadLetterLog.note(lease, dead);
      // Whatever became of the messages, there is room now under max_in_flight. A receive that
      // finds nothing due yet learns from the database when to ask again.
      if (ended > 0) wakeups.wakeSubscription(lease.subscriptionId);
    } catch (error) {
      tally.faults.push(error);
    }
  };
  await Promise.all(leases.map(end));
}

/** Adds to the tally; throws nothing. */
async function appendScheduled(
  { store, wakeups }: SweepDeps,
  scheduled: readonly { topicId: number; scheduledNo: number }[],
  tally: Tally,
): Promise<void> {
  for (const [topicId, ofTopic] of Map.groupBy(scheduled, ({ topicId }) => topicId)) {
    for (let i = 0; i < ofTopic.length; i += APPEND_MAX) {
      const numbers = ofTopic.slice(i, i + APPEND_MAX).map(({ scheduledNo }) => scheduledNo);
      try {
        const appended = await store.fallingDue.appendScheduled(topicId, numbers);
        tally.appended += appended;
        if (appended > 0) wakeups.wakeTopic(topicId);
      } catch (error) {
        tally.faults.push(error);
        break;
      }
    }
  }
}

/** Whether a query saw all that was due: rows come in order of time, so a future one ends them. */
function isWhole(rows: readonly { dueAt: Date }[], now: number): boolean {
  return rows.length < ROWS_MAX || (rows.at(-1)?.dueAt.getTime() ?? 0) > now;
}

/**
 * By milliseconds from now, coalesced to hundredths of a second; what is due already is left out.
 */
function upcoming<T extends { dueAt: Date }>(rows: readonly T[], now: number): Map<number, T[]> {
  const future = rows.filter((row) => row.dueAt.getTime() > now);
  return Map.groupBy(future, (row) => Math.ceil((row.dueAt.getTime() - now) / 10) * 10 + EARLY_MS);
}
