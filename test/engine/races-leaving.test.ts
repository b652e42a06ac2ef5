// Races between a receive and its end: the client leaves, or the instance stops, while it is on its
// way. What was handed out to nobody goes on to somebody at once, and does not count as a failure.

import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { queueOf } from '../support/calls.ts';
import { createLookout, createTestEngine, type Lookout, type TestEngine } from '../support/engine.ts';
import { createRaceBench, type RaceBench, recordsOf } from '../support/race.ts';

/** No safety poll runs here: what nobody was woken for does not come, however long one waits. */
const PATIENCE_SECONDS = 20;
/** Longer than the test: who is not answered for another reason is not answered. */
const FOREVER_SECONDS = 3600;

let bench: RaceBench;
beforeAll(async () => {
  bench = await createRaceBench();
});
afterAll(() => bench.stop());
beforeEach(() => bench.owner.letGo());

/**
 * An instance over a store that shows and holds back answers; it notices nothing that it is not
 * told itself.
 */
async function withDeafInstance(work: (instance: TestEngine, lookout: Lookout) => Promise<void>): Promise<void> {
  const lookout = createLookout();
  const instance = await createTestEngine(bench.database, { wrapStore: lookout.wrapStore, deaf: true });
  await work(instance, lookout).finally(() => instance.stop());
}

describe('a client that leaves', () => {
  const handedBack = { seq: 1, attempt: 1, ended: 'released', errorCode: null };

  it('before its receive has the lock gets nothing, and the message goes on to who waits elsewhere', async () => {
    const { local, remote } = await bench.openQueue();
    await local.publish('one');
    const client = new AbortController();
    await bench.owner.hold('receive', local.subscriptionId);
    const receiving = local.receive({ signal: client.signal, waitSeconds: FOREVER_SECONDS });
    await bench.owner.seeWaiting(1);
    client.abort();
    expect(await receiving).toEqual([]);
    const waiting = remote.receive({ waitSeconds: PATIENCE_SECONDS });
    await bench.owner.seeWaiting(2);
    await bench.owner.letGo();
    expect(await waiting).toMatchObject([{ sequence: 1, attempt: 2 }]);
    expect(await recordsOf(bench.database, local)).toMatchObject({
      leases: [{ outstanding: [1], attempt: 2, failures: 0 }],
      deferred: [],
      failures: [handedBack],
    });
  });

  it('while the answer is on its way has its messages handed back at once, uncounted', () =>
    withDeafInstance(async (instance, lookout) => {
      const { local, remote } = await bench.openQueue({ maxAttempts: 1 });
      await local.publish('one');
      const client = new AbortController();
      const held = lookout.holdNext();
      const receiving = queueOf(instance, local.name, local).receive({
        signal: client.signal,
        waitSeconds: FOREVER_SECONDS,
      });
      await held.arrived;
      expect(await recordsOf(bench.database, local)).toMatchObject({ leases: [{ outstanding: [1] }] });
      client.abort();
      expect(await receiving).toEqual([]);
      const waiting = remote.receive({ waitSeconds: PATIENCE_SECONDS });
      held.letGo();
      expect(await waiting).toMatchObject([{ sequence: 1, attempt: 2 }]);
      expect(await recordsOf(bench.database, local)).toMatchObject({
        leases: [{ outstanding: [1], attempt: 2, failures: 0 }],
        failures: [handedBack],
        deadLetters: [],
      });
    }));

  it('while parked is forgotten: nothing is leased to it', () =>
    withDeafInstance(async (instance, lookout) => {
      const { local } = await bench.openQueue();
      const queue = queueOf(instance, local.name, local);
      const client = new AbortController();
      const parked = queue.receive({ signal: client.signal, waitSeconds: FOREVER_SECONDS });
      await lookout.seeLooks(1);
      client.abort();
      expect(await parked).toEqual([]);
      await queue.publish('one');
      expect(await recordsOf(bench.database, local)).toMatchObject({ deliveries: [{ kind: 'start' }], leases: [] });
    }));

  it('has what it acknowledged along the way signed all the same', async () => {
    const { local } = await bench.openQueue();
    await local.publish('one', 'two');
    const { receipt } = (await local.receive({ maxMessages: 1 }))[0] ?? { receipt: '' };
    const client = new AbortController();
    await bench.owner.hold('settle', local.subscriptionId);
    const acknowledge = [{ receipt, reference: null }];
    const receiving = local.receive({ signal: client.signal, waitSeconds: FOREVER_SECONDS, acknowledge });
    await bench.owner.seeWaiting(1);
    client.abort();
    await bench.owner.letGo();
    expect(await receiving).toEqual([]);
    expect(await recordsOf(bench.database, local)).toMatchObject({
      deliveries: [{ kind: 'start' }, { handed: [1] }],
      ledger: [{ seq: 1, ackNo: 1 }],
    });
  });
});

describe('a stop while a receive is on its way', () => {
  it('answers it, also when it had an acknowledgment to wait for', async () => {
    const instance = await createTestEngine(bench.database);
    const { local } = await bench.openQueue();
    const queue = queueOf(instance, local.name, local);
    await queue.publish('one');
    const { receipt } = await queue.receiveOne();
    await bench.owner.hold('settle', local.subscriptionId);
    const receiving = queue.receive({ waitSeconds: FOREVER_SECONDS, acknowledge: [{ receipt, reference: null }] });
    await bench.owner.seeWaiting(1);
    const stopping = instance.stop();
    await bench.owner.letGo();
    expect(await receiving).toEqual([]);
    await stopping;
    expect(await recordsOf(bench.database, local)).toMatchObject({ ledger: [{ seq: 1, ackNo: 1 }], leases: [] });
  });
});
