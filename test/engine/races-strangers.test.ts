// Races that are none of each other's business: while somebody else holds the locks of some topics
// and subscriptions, calls on all others are answered.

import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { outcomesOf, type Queue } from '../support/calls.ts';
import { type LockClass, type Owner, openOwner } from '../support/lock.ts';
import { createRaceBench, type RaceBench } from '../support/race.ts';

/** More than an instance has connections, and how many of those may wait for locks. */
const CROWD = 12;
const LOCK_WAITS_MAX = 5;
/** More than an instance has flushes on their way at once. */
const BUSY = 3;

let bench: RaceBench;
let holders: Owner[];
beforeAll(async () => {
  bench = await createRaceBench();
  holders = await Promise.all(Array.from({ length: BUSY }, () => openOwner(bench.database)));
});
afterAll(async () => {
  for (const holder of holders) await holder.end();
  await bench.stop();
});
beforeEach(async () => {
  for (const holder of holders) await holder.letGo();
});

const calls: [string, LockClass, (queue: Queue) => Promise<unknown>][] = [
  ['publish', 'topic', (queue) => queue.publish('another')],
  ['receive', 'receive', (queue) => queue.receive()],
  ['acknowledge', 'settle', async (queue) => outcomesOf(await queue.acknowledge(await receiptOf(queue)))],
  ['release', 'settle', async (queue) => outcomesOf(await queue.release(await receiptOf(queue)))],
  ['extend', 'settle', async (queue) => outcomesOf(await queue.extend([await receiptOf(queue)]))],
];

const receipts = new Map<string, string>();
const receiptOf = async (queue: Queue) => receipts.get(queue.name) ?? '';

async function openInFlight(): Promise<Queue> {
  const { local } = await bench.openQueue();
  await local.publish('one', 'two');
  const [message] = await local.receive({ maxMessages: 1 });
  receipts.set(local.name, message?.receipt ?? '');
  return local;
}

describe('while the locks of others are busy', () => {
  it.each(calls)('%s is answered', async (_, lock, call) => {
    const busy = await Promise.all(holders.map(openInFlight));
    const free = await openInFlight();
    const idOf = (queue: Queue) => (lock === 'topic' ? queue.topicId : queue.subscriptionId);
    const waiting: Promise<unknown>[] = [];
    for (const [i, queue] of busy.entries()) {
      await holders[i]?.hold(lock, idOf(queue));
      waiting.push(call(queue));
    }
    try {
      expect(await call(free)).toBeTruthy();
    } finally {
      for (const holder of holders) await holder.letGo();
      await Promise.all(waiting);
    }
  });
});

describe('while more others are busy than there are connections', () => {
  it.each([
    ...calls,
    [
      'acknowledge, atomic',
      'settle',
      async (queue) => outcomesOf(await queue.acknowledgeAtomically(await receiptOf(queue))),
    ] satisfies (typeof calls)[number],
  ])('%s waits on half of the connections, and the free one is answered', async (_, lock, call) => {
    const [holder] = holders as [Owner];
    const busy = await Promise.all(Array.from({ length: CROWD }, openInFlight));
    const free = await openInFlight();
    for (const queue of busy) await holder.hold(lock, lock === 'topic' ? queue.topicId : queue.subscriptionId);
    const waiting = busy.map(call);
    try {
      await holder.seeWaiting(LOCK_WAITS_MAX);
      expect(await call(free)).toBeTruthy();
    } finally {
      await holder.letGo();
      await Promise.all(waiting);
    }
  });
});
