// What a receive says beside the messages: whether all that was due has been handed out, what is
// full, and when something falls due. The engine goes by it, and would leave messages lying for up
// to a minute if one of these said too much.

import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import type { WaiterRow } from '../../src/store/deliveries.ts';
import { createQueue, newMessage, type Queue } from '../support/calls.ts';
import { openStoreBench, type StoreBench, type TestEngine } from '../support/store.ts';

let bench: StoreBench;
let engine: TestEngine;
let queue: Queue;
beforeAll(async () => {
  bench = await openStoreBench();
  engine = bench.openEngine();
});
afterAll(() => bench.stop());
beforeEach(async () => {
  queue = await createQueue(engine, { minBackoffSeconds: 0, maxBackoffSeconds: 0 });
});

let keys = 0;

/** One receive by the general function, which a key asks for. */
async function receive(fields: Partial<WaiterRow> = {}) {
  keys += 1;
  const waiter: WaiterRow = {
    maxMessages: 10,
    maxBytes: 1_000_000,
    visibilityTimeoutSeconds: null,
    nonce: BigInt(keys),
    principal: 'test',
    receiveKey: `key ${keys}`,
    ...fields,
  };
  const { topicId, subscriptionId } = queue;
  const group = { topicId, subscriptionId, deferredFloor: null, leaseFloor: 0, waiters: [waiter] };
  const [outcome] = await bench.store.deliveries.receive([group], true, 1_000_000);
  if (outcome === undefined) throw new Error('no outcome');
  return { ...outcome, count: outcome.handed[0]?.length };
}

/** So many messages that are due again at once. */
async function defer(...bodies: string[]): Promise<void> {
  await queue.publish(...bodies);
  for (const { receipt } of await queue.receive()) await queue.release(receipt);
}

describe('what is deferred and due', () => {
  it('is drained when all of it was handed out', async () => {
    await defer('a', 'b');
    expect(await receive()).toMatchObject({ count: 2, deferredDrained: true });
  });

  it('is not drained where the waiter takes fewer messages', async () => {
    await defer('a', 'b');
    expect(await receive({ maxMessages: 1 })).toMatchObject({ count: 1, deferredDrained: false });
  });

  it('is not drained where as many were taken as were asked for', async () => {
    await defer('a', 'b');
    expect(await receive({ maxMessages: 2 })).toMatchObject({ count: 2, deferredDrained: false });
  });

  it('is not drained where the waiter takes fewer bytes', async () => {
    await defer('aaaa', 'bbbb');
    expect(await receive({ maxBytes: 5 })).toMatchObject({ count: 1, deferredDrained: false });
  });

  it('is handed out in the order in which it fell due', async () => {
    await queue.publish('a', 'b');
    const [a, b] = await queue.receive();
    await queue.release(b?.receipt ?? '');
    await queue.release(a?.receipt ?? '');
    const { handed } = await receive({ maxMessages: 1 });
    expect(handed[0]?.map(({ sequence }) => sequence)).toEqual([2]);
  });
});

describe('when something falls due', () => {
  const secondsUntil = (at: Date | null) => (at === null ? null : Math.round((at.getTime() - Date.now()) / 1000));

  it('is said of what is deferred, the earliest', async () => {
    await queue.publish('a', 'b');
    const [a, b] = await queue.receive();
    await queue.release(a?.receipt ?? '', { delaySeconds: 300 });
    await queue.release(b?.receipt ?? '', { delaySeconds: 100 });
    expect(secondsUntil((await receive()).nextAt)).toBe(100);
  });

  it('is said of a message that the delay of the subscription holds back', async () => {
    queue = await createQueue(engine, { delaySeconds: 200 });
    await queue.publish('a');
    expect(secondsUntil((await receive()).nextAt)).toBe(200);
  });

  it('is not said where nothing does', async () => {
    await queue.publish(newMessage('a', { delaySeconds: 60 }));
    expect((await receive()).nextAt).toBeNull();
  });
});

describe('what is in flight', () => {
  it('is full at the bound and not before it, and says where the oldest lease is', async () => {
    queue = await createQueue(engine, { maxInFlight: 2 });
    await queue.publish('a', 'b', 'c');
    const first = await receive({ maxMessages: 1 });
    expect(first).toMatchObject({ count: 1, inFlightFull: false });
    const oldest = first.handed[0]?.[0]?.deliveryNo;
    expect(await receive()).toMatchObject({ count: 1, inFlightFull: false, leaseFloor: oldest });
    expect(await receive()).toMatchObject({ count: 0, inFlightFull: true, leaseFloor: oldest });
  });
});

describe('a receive key that is used a second time', () => {
  it('means the newest delivery of it, when the answer is asked for again', async () => {
    await queue.publish('a', 'b');
    const receiveAgain = () => queue.receive({ maxMessages: 1, idempotencyKey: 'k' });
    const [a] = await receiveAgain();
    await queue.acknowledge(a?.receipt ?? '');
    const [b] = await receiveAgain();
    expect(b?.sequence).toBe(2);
    expect((await receiveAgain()).map(({ receipt }) => receipt)).toEqual([b?.receipt]);
  });
});
