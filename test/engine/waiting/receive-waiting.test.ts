// Parked receives. The engine is not started: no poll and no wakeup from elsewhere helps, so what
// answers here is that whatever makes a message receivable wakes.

import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { CALLER, codeOf, createQueue, outcomesOf, type Queue, receiveRequest } from '../../support/calls.ts';
import { takeLockText } from '../../support/lock.ts';
import { openStoreBench, type StoreBench, type TestEngine } from '../../support/store.ts';

let bench: StoreBench;
let engine: TestEngine;
let looks = 0;

beforeAll(async () => {
  bench = await openStoreBench();
  const { receive } = bench.store.deliveries;
  const counted: typeof receive = async (...args) => {
    const outcomes = await receive(...args);
    looks += 1;
    return outcomes;
  };
  engine = bench.openEngine({ ...bench.store, deliveries: { ...bench.store.deliveries, receive: counted } });
});
afterAll(() => bench.stop());

/** A receive that has looked, found nothing and waits; its sequences, when it is answered. */
async function park(
  queue: Queue,
  fields: Parameters<Queue['receive']>[0] = {},
): Promise<{ answer: Promise<number[]> }> {
  looks = 0;
  const messages = queue.receive({ waitSeconds: 20, ...fields });
  const answer = messages.then((received) => received.map(({ sequence }) => sequence));
  await expect.poll(() => looks).toBe(1);
  return { answer };
}

async function parkedThen(queue: Queue, work: () => Promise<unknown>): Promise<number[]> {
  const { answer } = await park(queue);
  const [sequences] = await Promise.all([answer, work()]);
  return sequences;
}

/** Ends the lease of everything in flight now, for the next sweep to see. */
async function expireNow(queue: Queue): Promise<void> {
  const text = 'update willcall.lease set expires_at = clock_timestamp() where subscription_id = $1';
  await bench.rows(text, [queue.subscriptionId]);
}

describe('a parked receive is answered by', () => {
  it('a publish', async () => {
    const queue = await createQueue(engine);
    expect(await parkedThen(queue, () => queue.publish('a'))).toEqual([1]);
  });

  it('a release', async () => {
    const queue = await createQueue(engine);
    await queue.publish('a');
    const message = await queue.receiveOne();
    expect(await parkedThen(queue, () => queue.release(message))).toEqual([1]);
  });

  it('a release with a delay, when that is over', async () => {
    const queue = await createQueue(engine);
    await queue.publish('a');
    const message = await queue.receiveOne();
    expect(await parkedThen(queue, () => queue.release(message, { delaySeconds: 0.2 }))).toEqual([1]);
  });

  it('a lease that ends in a sweep', async () => {
    const queue = await createQueue(engine, { minBackoffSeconds: 0 });
    await queue.publish('a');
    await queue.receiveOne();
    const ending = async () => {
      await expireNow(queue);
      await engine.sweep();
    };
    expect(await parkedThen(queue, ending)).toEqual([1]);
  });

  it('a lease that ends between two sweeps', async () => {
    const queue = await createQueue(engine, { minBackoffSeconds: 0 });
    await queue.publish('a');
    await queue.receiveOne({ visibilityTimeoutSeconds: 1 });
    expect(await parkedThen(queue, () => engine.sweep())).toEqual([1]);
  });

  it('a back-off that is over', async () => {
    const queue = await createQueue(engine, { minBackoffSeconds: 1, maxBackoffSeconds: 1 });
    await queue.publish('a');
    const message = await queue.receiveOne();
    const error = { code: 'E', message: null };
    expect(await parkedThen(queue, () => queue.release(message, { error }))).toEqual([1]);
  });

  it("a subscription's delay that is over", async () => {
    const queue = await createQueue(engine, { delaySeconds: 1 });
    expect(await parkedThen(queue, () => queue.publish('a'))).toEqual([1]);
  });

  it.each([
    ['an acknowledgment', (queue: Queue, receipt: string) => queue.acknowledge(receipt)],
    ['a reject', (queue: Queue, receipt: string) => queue.reject(receipt)],
  ])('%s that makes room under max_in_flight', async (_, settle) => {
    const queue = await createQueue(engine, { maxInFlight: 1 });
    await queue.publish('a', 'b');
    const { receipt } = await queue.receiveOne();
    expect(await parkedThen(queue, () => settle(queue, receipt))).toEqual([2]);
  });

  it.each([
    ['waits for another attempt', { maxAttempts: 10, minBackoffSeconds: 600 }],
    ['becomes a dead letter', { maxAttempts: 1 }],
  ])('a lease that ends and makes room under max_in_flight, when its message %s', async (_, settings) => {
    const queue = await createQueue(engine, { maxInFlight: 1, ...settings });
    await queue.publish('a', 'b');
    await queue.receiveOne();
    const ending = async () => {
      await expireNow(queue);
      await engine.sweep();
    };
    expect(await parkedThen(queue, ending)).toEqual([2]);
  });

  it('settings that make more receivable', async () => {
    const queue = await createQueue(engine, { delaySeconds: 3600 });
    await queue.publish('a');
    const change = () => engine.updateSubscription({ name: queue.name, settings: { delaySeconds: 0 }, caller: CALLER });
    expect(await parkedThen(queue, change)).toEqual([1]);
  });

  it('the deletion of its subscription or topic, with a fault', async () => {
    for (const remove of [engine.deleteSubscription, engine.deleteTopic]) {
      const queue = await createQueue(engine);
      const code = codeOf(parkedThen(queue, () => remove(queue.name, CALLER)));
      expect(await code).toBe('subscription_not_found');
    }
  });

  it('the next subscription of its name, once the old one was deleted', async () => {
    const queue = await createQueue(engine);
    const recreate = async () => {
      // As another instance does it: nothing here hears of it before the publish.
      const elsewhere = bench.openEngine();
      await elsewhere.deleteSubscription(queue.name, CALLER);
      await elsewhere.createSubscription({ name: queue.name, settings: {}, caller: CALLER });
      await queue.publish('a');
    };
    expect(await parkedThen(queue, recreate)).toEqual([1]);
  });

  it('the end of its time, with nothing', async () => {
    const queue = await createQueue(engine);
    expect(await queue.receive({ waitSeconds: 0.1 })).toEqual([]);
  });
});

describe('a client that went away', () => {
  it('is forgotten before anything is leased to it', async () => {
    const queue = await createQueue(engine);
    const client = new AbortController();
    const { answer } = await park(queue, { signal: client.signal });
    client.abort();
    expect(await answer).toEqual([]);
    await queue.publish('a');
    expect((await queue.receiveOne()).attempt).toBe(1);
  });

  it('has what was just leased to it handed back, uncounted as a failure', async () => {
    const queue = await createQueue(engine);
    await queue.publish('a');
    const client = new AbortController();
    const holder = await bench.openSession();
    await holder.rows('begin');
    await holder.rows(takeLockText('receive'), [queue.subscriptionId]);
    // Its look is on its way, and waits for the lock, when the client leaves.
    const left = queue.receive({ waitSeconds: 20, signal: client.signal });
    const waiting = `select count(*) from pg_locks where locktype = 'advisory' and not granted`;
    await expect.poll(() => bench.value(waiting)).toBe(1);
    client.abort();
    expect(await left).toEqual([]);
    await holder.rows('commit');
    const again = await queue.receiveOne({ waitSeconds: 20 });
    expect(again.attempt).toBe(2);
    const failures = 'select ended, error_code from willcall.failure where subscription_id = $1';
    expect(await bench.rows(failures, [queue.subscriptionId])).toEqual([{ ended: 'released', error_code: null }]);
  });
});

describe('a piggybacked acknowledgment', () => {
  it('is committed before the receive parks', async () => {
    const queue = await createQueue(engine);
    await queue.publish('a');
    const { receipt } = await queue.receiveOne();
    const { answer } = await park(queue, { acknowledge: [{ receipt, reference: 'r' }] });
    const references = 'select reference from willcall.acknowledgment where subscription_id = $1';
    expect(await bench.rows(references, [queue.subscriptionId])).toEqual([{ reference: 'r' }]);
    await queue.publish('b');
    expect(await answer).toEqual([2]);
  });

  it('whose receipt is not ok makes the receive answer at once', async () => {
    const queue = await createQueue(engine);
    await queue.publish('a', 'b');
    const first = await queue.receiveOne({ maxMessages: 1 });
    await queue.release(first);
    const acknowledge = [{ receipt: first.receipt, reference: null }];
    const request = { ...receiveRequest(queue.name), acknowledge, waitSeconds: 30, maxMessages: 1 };
    const { acknowledged, messages } = await engine.receive(request);
    expect(outcomesOf({ results: acknowledged, failed: 1, refused: false })).toEqual(['already_released']);
    expect(messages.map(({ sequence }) => sequence)).toEqual([1]);
    await engine.receive({ ...request, acknowledge: [] });
    // Nothing is left: the test would run into its time if this waited.
    expect((await engine.receive(request)).messages).toEqual([]);
  });
});

describe('a stop', () => {
  it('answers who waits with what there is, and refuses who comes', async () => {
    const stopped = bench.openEngine();
    const queue = await createQueue(engine);
    const parked = stopped.receive({ ...receiveRequest(queue.name), waitSeconds: 30 });
    await stopped.getSubscription(queue.name);
    await stopped.stop();
    expect((await parked.catch(() => ({ messages: [] }))).messages).toEqual([]);
    expect(await codeOf(stopped.receive(receiveRequest(queue.name)))).toBe('shutting_down');
    expect(await codeOf(stopped.checkReadiness())).toBe('shutting_down');
  });
});

describe('five hundred parked receives', () => {
  /** How many looks there are during fifty round trips to the database. */
  async function looksMeanwhile(): Promise<number> {
    const before = looks;
    for (let trip = 0; trip < 50; trip += 1) await bench.rows('select 1');
    return looks - before;
  }

  it('hold no database connection, and ask for nothing until something comes', async () => {
    const queue = await createQueue(engine);
    const client = new AbortController();
    const request = { ...receiveRequest(queue.name), waitSeconds: 30, signal: client.signal };
    const parked = Array.from({ length: 500 }, () => engine.receive(request));
    await queue.receive();
    await expect.poll(looksMeanwhile).toBe(0);
    const busy = `select count(*) from pg_stat_activity
      where datname = current_database() and application_name = 'willcall' and state <> 'idle'`;
    expect(await bench.value(busy)).toBe(0);
    await queue.publish('a');
    const { messages } = await Promise.race(parked);
    expect(messages).toHaveLength(1);
    await expect.poll(looksMeanwhile).toBe(0);
    client.abort();
    await Promise.all(parked);
  });
});
