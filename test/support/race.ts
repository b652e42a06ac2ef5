// A bench for races: one database, two instances on it, and an owner who holds a lock until both
// calls are seen waiting for it, so that either order can be had at will. What either leaves behind
// is read from the tables.

import type { SubscriptionChanges } from '../../src/engine/subscriptions.ts';
import { createQueue, type Queue, queueOf } from './calls.ts';
import { createTestDatabase, type TestDatabase } from './database.ts';
import { createLookout, createTestEngine, hideFromPolls, type Lookout, type TestEngine } from './engine.ts';
import { readRows } from './history-rows.ts';
import { type LockClass, type Owner, openOwner } from './lock.ts';

export interface RaceBench {
  readonly database: TestDatabase;
  readonly owner: Owner;
  /** Both see wakeups and no safety poll. */
  readonly here: TestEngine;
  readonly there: TestEngine;
  /** Of `here`. */
  readonly lookout: Lookout;
  /** A queue as both instances see it. */
  openQueue(settings?: SubscriptionChanges): Promise<{ local: Queue; remote: Queue }>;
  /** Lets both calls wait for the lock, in this order, and then go. */
  race<First, Second>(
    lock: LockClass,
    id: number,
    first: () => Promise<First>,
    second: () => Promise<Second>,
  ): Promise<[First, Second]>;
  /** The time of all leases is over from now on, and nobody has noticed. */
  lapse(queue: Queue): Promise<void>;
  stop(): Promise<void>;
}

/** To be made in beforeAll and stopped in afterAll. */
export async function createRaceBench(): Promise<RaceBench> {
  const database = await createTestDatabase();
  const owner = await openOwner(database);
  const lookout = createLookout();
  const here = await createTestEngine(database, {
    wrapStore: (store) => hideFromPolls(lookout.wrapStore(store)),
  });
  const allowedWarning = 'messages outlived their retention uncollected';
  const there = await createTestEngine(database, { wrapStore: hideFromPolls, allowedWarning });
  return {
    ...{ database, owner, here, there, lookout },
    openQueue: async (settings = {}) => {
      const local = await createQueue(here, settings);
      return { local, remote: queueOf(there, local.name, local) };
    },
    race: async (lock, id, first, second) => {
      await owner.hold(lock, id);
      const one = first();
      await owner.seeWaiting(1);
      const two = second();
      await owner.seeWaiting(2);
      await owner.letGo();
      return Promise.all([one, two]);
    },
    lapse: async ({ subscriptionId }) => {
      const over = 'update willcall.lease set expires_at = clock_timestamp() where subscription_id = $1';
      await owner.rows(over, [subscriptionId]);
    },
    stop: async () => {
      await owner.end();
      await here.stop();
      await there.stop();
      await database.drop();
    },
  };
}

/** What is on record of a queue, as far as a race can change it. */
export async function recordsOf(database: TestDatabase, { topicId, subscriptionId }: Queue) {
  const rows = await readRows(database, [topicId]);
  const ours = <Row extends { subscriptionId: number }>(all: Row[]) =>
    all.filter((row) => row.subscriptionId === subscriptionId);
  return {
    log: rows.messages.map(({ seq }) => seq),
    deliveries: ours(rows.deliveries).map(({ kind, handed }) => ({ kind, handed })),
    ledger: ours(rows.acknowledgments).map(({ seq, ackNo, attempt, late }) => ({ seq, ackNo, attempt, late })),
    leases: ours(rows.leases).map(({ outstanding, attempt, failures }) => ({ outstanding, attempt, failures })),
    deferred: ours(rows.deferred).map(({ seq, attempt, failures }) => ({ seq, attempt, failures })),
    failures: ours(rows.failures).map(({ seq, attempt, ended, errorCode }) => ({ seq, attempt, ended, errorCode })),
    deadLetters: ours(rows.deadLetters).map(({ seq, reason, closed }) => ({ seq, reason, closed })),
  };
}
