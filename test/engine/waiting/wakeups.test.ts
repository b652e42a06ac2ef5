// Two instances on one database. What happens on one wakes who waits on the other; the poll is
// switched blind where a test is about wakeups, so that it cannot help.

import { afterAll, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest';
import { createWakeups, type WakeupHandlers } from '../../../src/engine/waiting/wakeups.ts';
import type { Store } from '../../../src/store/index.ts';
import { createQueue, type Queue, queueOf } from '../../support/calls.ts';
import { openStoreBench, type StoreBench, type TestEngine } from '../../support/store.ts';

let bench: StoreBench;
let here: TestEngine;
let there: TestEngine;
let hereLooks = 0;
let thereLooks = 0;

beforeAll(async () => {
  bench = await openStoreBench();
  here = bench.openEngine(blind(bench.store, () => (hereLooks += 1)));
  there = bench.openEngine(blind(bench.openStore(), () => (thereLooks += 1)));
  await here.start();
  await there.start();
  await vi.waitFor(async () => expect(await listeners()).toHaveLength(2), { interval: 5, timeout: 90_000 });
});
afterAll(() => bench.stop());

beforeEach(() => {
  hereLooks = 0;
  thereLooks = 0;
});

/** The store, with receives that are counted once they are answered. */
function watched(store: Store, onLook: (subscriptionIds: readonly number[]) => void): Store {
  const receive: Store['deliveries']['receive'] = async (...args) => {
    const outcomes = await store.deliveries.receive(...args);
    onLook(args[0].map(({ subscriptionId }) => subscriptionId));
    return outcomes;
  };
  return { ...store, deliveries: { ...store.deliveries, receive } };
}

/** The store, watched, with a poll that finds nothing. */
function blind(store: Store, onLook: () => void): Store {
  const seen = watched(store, onLook);
  return { ...seen, deliveries: { ...seen.deliveries, receivable: async () => [] } };
}

/** The connections that listen. */
async function listeners(): Promise<number[]> {
  const rows = await bench.rows<{ pid: number }>(
    `select pid from pg_stat_activity
     where datname = current_database() and application_name = 'willcall wakeup' and query ilike 'listen%' and state = 'idle'`,
  );
  return rows.map(({ pid }) => pid);
}

/**
 * Parks on the other instance, then does the work on this one; the sequences that the parked
 * receive got.
 */
async function parkedThereThen(queue: Queue, work: () => Promise<unknown>): Promise<number[]> {
  const messages = queueOf(there, queue.name, queue).receive({ waitSeconds: 20 });
  await expect.poll(() => thereLooks).toBeGreaterThan(0);
  await work();
  return (await messages).map(({ sequence }) => sequence);
}

describe('a receive that is parked on one instance', () => {
  it('is answered by a publish on another', async () => {
    const queue = await createQueue(here);
    expect(await parkedThereThen(queue, () => queue.publish('a'))).toEqual([1]);
  });

  it('is answered by a release on another', async () => {
    const queue = await createQueue(here);
    await queue.publish('a');
    const message = await queue.receiveOne();
    expect(await parkedThereThen(queue, () => queue.release(message))).toEqual([1]);
  });

  it('is answered by an acknowledgment on another that makes room', async () => {
    const queue = await createQueue(here, { maxInFlight: 1 });
    await queue.publish('a', 'b');
    const message = await queue.receiveOne();
    expect(await parkedThereThen(queue, () => queue.acknowledge(message))).toEqual([2]);
  });

  it('is answered by a lease that ends in a sweep of another', async () => {
    const queue = await createQueue(here, { minBackoffSeconds: 0 });
    await queue.publish('a');
    await queue.receiveOne();
    const end = 'update willcall.lease set expires_at = clock_timestamp() where subscription_id = $1';
    const sweep = async () => {
      await bench.rows(end, [queue.subscriptionId]);
      await here.sweep();
    };
    expect(await parkedThereThen(queue, sweep)).toEqual([1]);
  });

  it('is answered by what was published while its instance could not hear, once it listens again', async () => {
    const queue = await createQueue(here);
    const before = await listeners();
    const published = async () => {
      await bench.rows('select pg_terminate_backend(pid) from unnest($1::integer[]) pid', [before]);
      await queue.publish('a');
    };
    expect(await parkedThereThen(queue, published)).toEqual([1]);
    await expect.poll(listeners).toHaveLength(2);
    const after = await listeners();
    expect(after.some((pid) => before.includes(pid))).toBe(false);
    // And it hears again, as before.
    thereLooks = 0;
    expect(await parkedThereThen(queue, () => queue.publish('b'))).toEqual([2]);
  });

  it('is told when its subscription is deleted on another', async () => {
    const queue = await createQueue(here);
    const gone = parkedThereThen(queue, () => here.deleteSubscription(queue.name, 'test'));
    await expect(gone).rejects.toMatchObject({ code: 'subscription_not_found' });
  });
});

describe('an instance', () => {
  it('does not look again for its own wakeups', async () => {
    const [queue, other] = [await createQueue(here), await createQueue(here)];
    const messages = queue.receive({ waitSeconds: 20 });
    await expect.poll(() => hereLooks).toBe(1);
    await queue.publish('a');
    expect(await messages).toHaveLength(1);
    const next = queue.receive({ waitSeconds: 20 });
    await expect.poll(() => hereLooks).toBe(3);
    // A wakeup that came after it from the other side shows that its own has passed.
    expect(await parkedThereThen(other, () => other.publish('b'))).toEqual([1]);
    expect(hereLooks).toBe(3);
    await queueOf(there, queue.name, queue).publish('c');
    expect(await next).toHaveLength(1);
  });
});

describe('the poll', () => {
  it.each([
    ['something fresh', (queue: Queue) => queue.publish('b')],
    [
      'something that is due again',
      async (queue: Queue) => {
        const text = 'update willcall.deferred set available_at = clock_timestamp() where subscription_id = $1';
        await bench.rows(text, [queue.subscriptionId]);
      },
    ],
  ])('finds %s for who waits, when no wakeup came', async (_, appear) => {
    // It hears nothing, and neither timers nor polls of its own run.
    let looks = 0;
    const deaf = bench.openEngine(watched(bench.openStore(), () => (looks += 1)));
    const queue = await createQueue(here);
    await queue.publish('a');
    await queue.release(await queue.receiveOne(), { delaySeconds: 600 });
    const messages = queueOf(deaf, queue.name, queue).receive({ waitSeconds: 20 });
    await expect.poll(() => looks).toBe(1);
    await appear(queue);
    await deaf.poll();
    expect(await messages).toHaveLength(1);
  });

  it('asks for all who wait in one statement, and for nobody else', async () => {
    const asked: number[][] = [];
    const looked = new Set<number>();
    const store = watched(bench.openStore(), (ids) => {
      for (const id of ids) looked.add(id);
    });
    const receivable: Store['deliveries']['receivable'] = (keys, floor) => {
      asked.push(keys.map(({ subscriptionId }) => subscriptionId));
      return store.deliveries.receivable(keys, floor);
    };
    const engine = bench.openEngine({ ...store, deliveries: { ...store.deliveries, receivable } });
    const queues = [await createQueue(here), await createQueue(here), await createQueue(here)];
    const [a, b, idle] = queues.map((queue) => queueOf(engine, queue.name, queue)) as [Queue, Queue, Queue];
    await idle.receive();
    const parked = [a, a, b].map((queue) => queue.receive({ waitSeconds: 20, maxMessages: 1 }));
    await expect.poll(() => looked.has(a.subscriptionId) && looked.has(b.subscriptionId)).toBe(true);
    await engine.poll();
    expect(asked.map((ids) => ids.sort((x, y) => x - y))).toEqual([[a.subscriptionId, b.subscriptionId]]);
    await queues[0]?.publish('1', '2');
    await queues[1]?.publish('1');
    await engine.poll();
    expect(await Promise.all(parked)).toHaveLength(3);
  });
});

describe('the floor of a poll', () => {
  it('lies a minute back, and is left out now and then, so that nothing stays unseen', async () => {
    const floors: (number | null)[] = [];
    let looks = 0;
    const store = watched(bench.openStore(), () => (looks += 1));
    const receivable: Store['deliveries']['receivable'] = async (_, floor) => {
      floors.push(floor);
      return [];
    };
    const engine = bench.openEngine({ ...store, deliveries: { ...store.deliveries, receivable } });
    const queue = await createQueue(here);
    const client = new AbortController();
    const parked = queueOf(engine, queue.name, queue).receive({ waitSeconds: 20, signal: client.signal });
    await expect.poll(() => looks).toBe(1);
    for (let poll = 1; poll <= 24; poll += 1) await engine.poll();
    client.abort();
    expect(await parked).toEqual([]);
    expect(floors.map((floor, i) => (floor === null ? i + 1 : 0)).filter((poll) => poll > 0)).toEqual([12, 24]);
    expect(new Set(floors)).toEqual(new Set([60_000, null]));
  });
});

describe('wakeups', () => {
  function createPair() {
    const sent: string[] = [];
    const heard: string[] = [];
    const connected = Promise.withResolvers<void>();
    const handlers = (note: (word: string) => void): WakeupHandlers => ({
      onTopic: (id) => note(`t${id}`),
      onSubscription: (id) => note(`s${id}`),
      onKey: (id) => note(`k${id}`),
      onEverybody: () => {
        connected.resolve();
        note('*');
      },
    });
    const sending: Store = bench.openStore();
    const send = (payload: string) => {
      sent.push(payload);
      return sending.wakeups.send(payload);
    };
    const logger = { debug: () => {}, info: () => {}, warn: () => {}, error: () => {} };
    const from = createWakeups({
      ...{ logger, handlers: handlers(() => {}) },
      store: { ...sending, wakeups: { ...sending.wakeups, send } },
    });
    const to = createWakeups({ logger, handlers: handlers((word) => heard.push(word)), store: bench.openStore() });
    to.start();
    return { from, to, sent, heard, connected: connected.promise };
  }

  it('of one moment travel together, each named once', async () => {
    const { from, to, sent, heard, connected } = createPair();
    await connected;
    for (let i = 0; i < 50; i += 1) {
      from.wakeTopic(7);
      from.wakeSubscription(8);
      from.wakeKey('wk_9');
    }
    await expect.poll(() => heard).toEqual(['*', 't7', 's8', 'kwk_9']);
    expect(sent).toHaveLength(1);
    from.stop();
    to.stop();
  });

  it('that are too many for one message wake everybody', async () => {
    const { from, to, sent, heard, connected } = createPair();
    await connected;
    for (let id = 1; id <= 5000; id += 1) from.wakeSubscription(id);
    await expect.poll(() => heard).toEqual(['*', '*']);
    expect(Math.max(...sent.map((payload) => payload.length))).toBeLessThan(8000);
    from.stop();
    to.stop();
  });
});
