// Which locks each function takes, and in which order. Another session holds one of them; the
// function that waits for it must hold exactly those that come before it. A function that forgets a
// lock does not wait, and one that takes two of them the other way round already holds the later.
// So it is with the transaction's number, which has to be there before the clock is read.

import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { CALLER, createQueue, freshName, newMessage, type Queue } from '../support/calls.ts';
import { type LockClass, takeLockText } from '../support/lock.ts';
import { openStoreBench, type Session, type StoreBench, type TestEngine } from '../support/store.ts';

let bench: StoreBench;
let engine: TestEngine;
let holder: Session;
/** Calls what the store does not call by itself. */
let caller: Session;
let queue: Queue;

beforeAll(async () => {
  bench = await openStoreBench();
  engine = bench.openEngine();
  holder = await bench.openSession();
  caller = await bench.openSession();
});
afterAll(() => bench.stop());
afterEach(() => holder.rows('rollback'));
beforeEach(async () => {
  queue = await createQueue(engine);
});

type Lock = readonly [LockClass, () => number];

const topic: Lock = ['topic', () => queue.topicId];
const receive: Lock = ['receive', () => queue.subscriptionId];
const settle: Lock = ['settle', () => queue.subscriptionId];
let made = 0;

interface Trial {
  readonly name: string;
  readonly locks: readonly Lock[];
  readonly prepare?: () => Promise<unknown>;
  readonly call: (prepared: never) => Promise<unknown>;
}

const error = { code: 'E', message: null };
const inFlight = async () => {
  await queue.publish('a');
  return (await queue.receiveOne()).receipt;
};
const direct = (text: string) => bench.rows(text, [queue.topicId, queue.subscriptionId]);

const trials: Trial[] = [
  { name: 'publish', locks: [topic], call: () => queue.publish('a') },
  { name: 'publish with a key', locks: [topic], call: () => queue.publish(newMessage('a', { dedupeKey: 'k' })) },
  {
    name: 'append_scheduled',
    locks: [topic],
    call: () => bench.store.fallingDue.appendScheduled(queue.topicId, [1]),
  },
  { name: 'receive', locks: [receive], call: () => queue.receive() },
  {
    name: 'receive, asked for again',
    locks: [receive, settle],
    prepare: async () => {
      await queue.publish('a');
      await queue.receive({ idempotencyKey: 'k' });
    },
    call: () => queue.receive({ idempotencyKey: 'k' }),
  },
  { name: 'acknowledge', locks: [settle], prepare: inFlight, call: (receipt) => queue.acknowledge(receipt) },
  {
    name: 'acknowledge, atomic',
    locks: [settle],
    prepare: inFlight,
    call: (receipt) => queue.acknowledgeAtomically(receipt),
  },
  { name: 'release', locks: [settle], prepare: inFlight, call: (receipt) => queue.release(receipt) },
  { name: 'extend', locks: [settle], prepare: inFlight, call: (receipt) => queue.extend([receipt]) },
  { name: 'reject', locks: [settle], prepare: inFlight, call: (receipt) => queue.reject(receipt, error) },
  {
    name: 'expire',
    locks: [settle],
    prepare: async () => {
      await inFlight();
      await direct('update willcall.lease set expires_at = now() where topic_id = $1 and subscription_id = $2');
    },
    call: () => bench.store.fallingDue.expire([{ ...queue, leases: [{ deliveryNo: 2, leaseNo: 0 }] }], true),
  },
  {
    name: 'retain_subscription',
    locks: [receive, settle],
    call: () => bench.store.retention.retainSubscription(queue, null, 10),
  },
  {
    name: 'prune_topic',
    locks: [topic],
    call: () => bench.store.retention.pruneTopic(queue.topicId, null, 10),
  },
  {
    name: 'prune_ledger',
    locks: [settle],
    prepare: () => bench.rows('update willcall.ledger_policy set retention_seconds = 86400'),
    call: () => bench.store.retention.pruneLedger(queue, 10),
  },
  {
    name: 'start_subscription',
    locks: [topic, ['receive', () => made]],
    prepare: async () => {
      const request = { name: freshName(), topic: queue.name, settings: {}, caller: CALLER };
      made = (await engine.createSubscription(request)).subscription.subscriptionId;
      // As it is before its start.
      await bench.rows('delete from willcall.delivery where subscription_id = $1', [made]);
      await bench.rows('delete from willcall.settled_mark where subscription_id = $1', [made]);
    },
    call: () =>
      caller.rows(`select willcall.start_subscription($1, $2, 'latest', null, 'test')`, [queue.topicId, made]),
  },
  {
    name: 'delete_topic',
    locks: [topic, receive],
    call: () => engine.deleteTopic(queue.name, CALLER),
  },
  {
    name: 'delete_subscription',
    locks: [receive],
    call: () => engine.deleteSubscription(queue.name, CALLER),
  },
];

/** The advisory locks that the session has which waits for the holder, as class and id. */
async function locksOfWaiter(): Promise<string[]> {
  const waiting = `select a.pid from pg_stat_activity a
    where $1 = any (pg_blocking_pids(a.pid)) and a.query not like '%\\_plain(%'`;
  await expect.poll(() => bench.rows(waiting, [holder.pid])).toHaveLength(1);
  const rows = await bench.rows<{ lock: string }>(
    `select c.name || ' ' || l.objid as lock
     from pg_locks l
     join (values ('topic', willcall.lock_topic()), ('receive', willcall.lock_receive()),
       ('settle', willcall.lock_settle())) c (name, class) on l.classid::bigint = c.class::bigint & 4294967295
     where l.locktype = 'advisory' and l.granted
       and l.pid = (select a.pid from pg_stat_activity a
         where $1 = any (pg_blocking_pids(a.pid)) and a.query not like '%\\_plain(%')
     order by 1`,
    [holder.pid],
  );
  return rows.map(({ lock }) => lock);
}

const steps = trials.flatMap((trial) => trial.locks.map((_, place) => ({ ...trial, place, nth: place + 1 })));

describe('the locks of a function', () => {
  it.each(steps)('are taken in order: $name, number $nth', async ({ locks, place, prepare, call }) => {
    const prepared = (await prepare?.()) as never;
    const [lock, id] = locks[place] as Lock;
    await holder.rows('begin');
    await holder.rows(takeLockText(lock), [id()]);
    const answer = call(prepared);
    answer.catch(() => {});
    const before = locks.slice(0, place).map(([name, idOf]) => `${name} ${idOf()}`);
    expect(await locksOfWaiter()).toEqual(before);
    await holder.rows('rollback');
    await answer;
  });

  it('of a topic that is deleted are those of its subscriptions in order of id', async () => {
    const first = queue.subscriptionId;
    const { subscription } = await engine.createSubscription({
      ...{ name: freshName(), topic: queue.name, settings: {}, caller: CALLER },
    });
    expect(subscription.subscriptionId).toBeGreaterThan(first);
    await holder.rows('begin');
    await holder.rows(takeLockText('receive'), [subscription.subscriptionId]);
    const deletion = engine.deleteTopic(queue.name, CALLER);
    expect(await locksOfWaiter()).toEqual([`receive ${first}`, `topic ${queue.topicId}`]);
    await holder.rows('rollback');
    await deletion;
  });
});

describe('what defers messages', () => {
  /** Whether the session that waits for the holder has a transaction number. */
  const hasNumber = async () => {
    await locksOfWaiter();
    return bench.value('select backend_xid is not null from pg_stat_activity where $1 = any (pg_blocking_pids(pid))', [
      holder.pid,
    ]);
  };

  // Decision 0015 rests on it: who read the clock before a query has a number that the query sees.
  it.each([
    ['a release', (receipt: string) => queue.release(receipt)],
    ['an expiry', () => bench.openEngine().sweep()],
  ] as const)('has its transaction number before it reads the clock: %s', async (name, call) => {
    await queue.publish('a');
    const { receipt } = await queue.receiveOne();
    if (name === 'an expiry') {
      const over = 'update willcall.lease set expires_at = clock_timestamp() where subscription_id = $1';
      await bench.rows(over, [queue.subscriptionId]);
    }
    await holder.rows('begin');
    // Nothing is written before the failure's row, which has to wait.
    await holder.rows('lock table willcall.failure in exclusive mode');
    const answer = call(receipt);
    expect(await hasNumber()).toBe(true);
    await holder.rows('commit');
    await answer;
  });
});
