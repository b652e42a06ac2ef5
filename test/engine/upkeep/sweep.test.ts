// The sweep: what is over ends, once; a look does not walk over what the last one removed; one
// fault stops nothing else.

import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest';
import type { FallingDue } from '../../../src/store/due.ts';
import type { Store } from '../../../src/store/index.ts';
import { CALLER, createQueue, newMessage, type Queue } from '../../support/calls.ts';
import { openStoreBench, type StoreBench, type TestEngine } from '../../support/store.ts';

let bench: StoreBench;
let engine: TestEngine;

beforeAll(async () => {
  bench = await openStoreBench();
  engine = bench.openEngine();
});
afterAll(() => bench.stop());
beforeEach(() => bench.clear());
afterEach(() => vi.useRealTimers());

async function endLeases(queue: Queue): Promise<void> {
  await bench.rows('update willcall.lease set expires_at = clock_timestamp() where subscription_id = $1', [
    queue.subscriptionId,
  ]);
}

interface Look {
  floor: Date | null;
  deferredFloor: Date | null;
  found: FallingDue;
}

/**
 * A store that notes what a sweep asked for and found; the database's clock passes as the test's
 * does, and is moved by as much as the test says.
 */
function watch(store: Store, moveMs = () => 0): { store: Store; looks: Look[] } {
  const looks: Look[] = [];
  const begunAt = new Date();
  const find: Store['fallingDue']['find'] = async (floor, deferredFloor, ...rest) => {
    const found = await store.fallingDue.find(floor, deferredFloor, ...rest);
    const checkedAt = new Date(begunAt.getTime() + performance.now() + moveMs());
    looks.push({ floor, deferredFloor, found: { ...found, checkedAt } });
    return { ...found, checkedAt };
  };
  return { store: { ...store, fallingDue: { ...store.fallingDue, find } }, looks };
}

describe('a sweep', () => {
  it('ends what is over and leaves the rest', async () => {
    const queue = await createQueue(engine, { minBackoffSeconds: 0 });
    await queue.publish('a', 'b', 'c');
    const [a, , c] = await queue.receive();
    await queue.acknowledge(a?.receipt ?? '');
    await queue.extend([c?.receipt ?? ''], 600);
    await bench.letTimePass(31);
    expect(await bench.openEngine().sweep()).toEqual({ ended: 1, dead: 0, appended: 0 });
    expect((await queue.receive()).map(({ sequence, attempt }) => [sequence, attempt])).toEqual([[2, 2]]);
    expect(await queue.acknowledge(c?.receipt ?? '')).toMatchObject({ failed: 0 });
  });

  it('does nothing twice when several instances sweep at once', async () => {
    const queues = await Promise.all(Array.from({ length: 5 }, () => createQueue(engine)));
    for (const queue of queues) {
      await queue.publish('a', 'b');
      await queue.receive();
      await endLeases(queue);
    }
    const reports = await Promise.all([1, 2, 3].map(() => bench.openEngine().sweep()));
    expect(reports.reduce((sum, { ended }) => sum + ended, 0)).toBe(10);
    const failures = `select count(*) from willcall.failure where subscription_id = any ($1)`;
    expect(await bench.value(failures, [queues.map(({ subscriptionId }) => subscriptionId)])).toBe(10);
  });

  it('goes on until nothing is due, also when one look cannot hold it', async () => {
    const queue = await createQueue(engine);
    await queue.publish(...Array.from({ length: 1000 }, () => 'a'));
    await queue.publish(...Array.from({ length: 300 }, () => 'a'));
    await queue.receive({ maxMessages: 1000 });
    await queue.receive({ maxMessages: 300 });
    // A lease each, as extending them one by one would leave them.
    await bench.rows(
      `with split as (delete from willcall.lease where subscription_id = $1 returning *)
       insert into willcall.lease
       select topic_id, subscription_id, delivery_no, s.seq, 1, 0, clock_timestamp(), int8multirange(int8range(s.seq, s.seq + 1))
       from split cross join lateral unnest(outstanding) r
       cross join lateral generate_series(lower(r), upper(r) - 1) s (seq)`,
      [queue.subscriptionId],
    );
    expect(await bench.openEngine().sweep()).toMatchObject({ ended: 1300 });
    expect((await engine.getSubscription(queue.name)).stats).toMatchObject({ inFlight: 0, deferred: 1300 });
  });

  it('drops the leases of a subscription that is gone', async () => {
    const queue = await createQueue(engine);
    await queue.publish('a');
    await queue.receive();
    await engine.deleteSubscription(queue.name, CALLER);
    await endLeases(queue);
    expect(await bench.openEngine().sweep()).toMatchObject({ ended: 0 });
    const left = `select (select count(*) from willcall.lease where subscription_id = $1)
      + (select count(*) from willcall.deferred where subscription_id = $1)`;
    expect(await bench.value(left, [queue.subscriptionId])).toBe(0);
  });
});

describe('the floor of a look', () => {
  it('is absent at first, and then behind the last complete look by a margin', async () => {
    const watched = watch(bench.store);
    const sweeping = bench.openEngine(watched.store);
    await sweeping.sweep();
    await sweeping.sweep();
    const [first, second] = watched.looks;
    expect([first?.floor, first?.deferredFloor]).toEqual([null, null]);
    const last = first?.found.checkedAt.getTime() ?? 0;
    for (const floor of [second?.floor, second?.deferredFloor]) {
      expect(floor?.getTime()).toBeLessThan(last);
      expect(floor?.getTime()).toBeGreaterThan(last - 30_000);
    }
  });

  it('is left out once a minute, so that nothing is missed for longer', async () => {
    vi.useFakeTimers({ toFake: ['performance'] });
    const watched = watch(bench.store);
    const sweeping = bench.openEngine(watched.store);
    await sweeping.sweep();
    vi.advanceTimersByTime(50_000);
    await sweeping.sweep();
    vi.advanceTimersByTime(11_000);
    await sweeping.sweep();
    expect(watched.looks.map(({ floor }) => floor === null)).toEqual([true, false, true]);
  });

  it('is absent again, at once, when the clock was set back', async () => {
    let movedMs = 0;
    const watched = watch(bench.store, () => movedMs);
    const sweeping = bench.openEngine(watched.store);
    await sweeping.sweep();
    await sweeping.sweep();
    movedMs = -30_000;
    await sweeping.sweep();
    await sweeping.sweep();
    expect(watched.looks.map(({ floor }) => floor === null)).toEqual([true, false, false, true, false]);
    expect(watched.looks.map(({ deferredFloor }) => deferredFloor === null)).toEqual([true, false, false, true, false]);
    expect(bench.complaints.splice(0)).toEqual(["the database's clock was set back"]);
  });

  it('keeps what lies below it out of sight until then', async () => {
    vi.useFakeTimers({ toFake: ['performance'] });
    const sweeping = bench.openEngine();
    await sweeping.sweep();
    const queue = await createQueue(engine);
    await queue.publish('a');
    await queue.receive();
    // As if a statement had been under way for longer than any may be.
    await bench.rows(`update willcall.lease set expires_at = now() - interval '1 minute' where subscription_id = $1`, [
      queue.subscriptionId,
    ]);
    expect(await sweeping.sweep()).toMatchObject({ ended: 0 });
    vi.advanceTimersByTime(61_000);
    expect(await sweeping.sweep()).toMatchObject({ ended: 1 });
  });
});

describe('a fault', () => {
  /**
   * A lease whose end the database refuses, as no sound one does: the record of its delivery is
   * missing.
   */
  async function createBrokenLease(): Promise<Queue> {
    const queue = await createQueue(engine);
    await queue.publish('a');
    await queue.receive();
    await bench.rows('delete from willcall.delivery where subscription_id = $1 and delivery_no = 2', [
      queue.subscriptionId,
    ]);
    await endLeases(queue);
    return queue;
  }

  it('keeps no other lease and no delayed message waiting, and is thrown at the end', async () => {
    const broken = await createBrokenLease();
    const [queue, delayed] = [await createQueue(engine, { minBackoffSeconds: 0 }), await createQueue(engine)];
    await queue.publish('a');
    await queue.receive();
    await endLeases(queue);
    await delayed.publish(newMessage('b', { delaySeconds: 60 }));
    await bench.rows('update willcall.scheduled set deliver_at = clock_timestamp() where topic_id = $1', [
      delayed.topicId,
    ]);
    const watched = watch(bench.store);
    const sweeping = bench.openEngine(watched.store);
    await expect(sweeping.sweep()).rejects.toMatchObject({ code: 'internal' });
    expect(await queue.receive()).toHaveLength(1);
    expect(await delayed.receive()).toHaveLength(1);
    // It is looked for again: no floor hides it.
    await expect(sweeping.sweep()).rejects.toMatchObject({ code: 'internal' });
    expect(watched.looks.map(({ floor }) => floor)).toEqual([null, null]);
    await bench.rows('delete from willcall.lease where subscription_id = $1', [broken.subscriptionId]);
    await sweeping.sweep();
  });
});
