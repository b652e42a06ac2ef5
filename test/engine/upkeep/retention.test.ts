// Retention of a subscription: what outlives the topic's retention is recorded, never dropped in
// silence.

import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { WillcallError } from '../../../src/domain/errors.ts';
import type { DeadLetter } from '../../../src/domain/ledger.ts';
import type { Store } from '../../../src/store/index.ts';
import { CALLER, createQueue, outcomesOf, type Queue } from '../../support/calls.ts';
import { openStoreBench, type StoreBench, type TestEngine } from '../../support/store.ts';

const DAY = 86_400;
const WEEK = 7 * DAY;

let bench: StoreBench;
let engine: TestEngine;

beforeAll(async () => {
  bench = await openStoreBench();
  engine = bench.openEngine();
});
afterAll(() => bench.stop());
beforeEach(() => bench.clear());

async function deadLettersOf(queue: Queue): Promise<readonly DeadLetter[]> {
  return (await engine.listDeadLetters({ subscription: queue.name, limit: 100 })).deadLetters;
}

function deliveriesOf(queue: Queue) {
  return bench.rows(
    `select delivery_no, kind, head, handed::text, principal from willcall.delivery
     where subscription_id = $1 order by delivery_no`,
    [queue.subscriptionId],
  );
}

async function release(queue: Queue, receipt: string, code: string): Promise<void> {
  await queue.release(receipt, { error: { code, message: null }, delaySeconds: 30 * DAY });
}

describe('a message that was never handed out', () => {
  it('is passed over when it outlives the retention, recorded as a range with who and when', async () => {
    const queue = await createQueue(engine);
    await queue.publish('a', 'b', 'c');
    await bench.letTimePass(WEEK + 60);
    await queue.publish('d');
    await engine.retain();
    const [dead, ...others] = await deadLettersOf(queue);
    expect(others).toEqual([]);
    expect(dead).toMatchObject({
      ...{ reason: 'expired', sequence: 1, sequenceLast: 3, messageCount: 3 },
      ...{ messageId: null, body: null, attempts: null, history: [] },
    });
    expect(await deliveriesOf(queue)).toEqual([
      { delivery_no: 1, kind: 'start', head: 0, handed: null, principal: CALLER },
      { delivery_no: 2, kind: 'expire', head: 3, handed: '{[1,4)}', principal: 'willcall' },
    ]);
    expect((await queue.receive()).map(({ sequence }) => sequence)).toEqual([4]);
  });

  it('is kept until then', async () => {
    const queue = await createQueue(engine);
    await queue.publish('a');
    await bench.letTimePass(WEEK - 60);
    await engine.retain();
    expect(await deadLettersOf(queue)).toEqual([]);
    expect(await queue.receive()).toHaveLength(1);
  });

  it('is recorded once, however often retention runs and wherever', async () => {
    const queue = await createQueue(engine);
    await queue.publish('a', 'b');
    await bench.letTimePass(WEEK + 60);
    await Promise.all([engine.retain(), bench.openEngine().retain()]);
    await engine.retain();
    expect(await deadLettersOf(queue)).toHaveLength(1);
  });

  it("is judged by the topic's own setting", async () => {
    const queue = await createQueue(engine);
    await engine.updateTopic({ name: queue.name, settings: { retentionSeconds: 3600 }, caller: CALLER });
    await queue.publish('a');
    await bench.letTimePass(3700);
    expect(await engine.retain()).toMatchObject({ expired: 1 });
  });

  it('stays in the log, replayable, for as long as the topic says', async () => {
    const queue = await createQueue(engine);
    await engine.updateTopic({ name: queue.name, settings: { expiredRetentionSeconds: 2 * DAY }, caller: CALLER });
    await queue.publish('a', 'b');
    await bench.letTimePass(WEEK + 60);
    await queue.publish('c');
    await engine.retain();
    const kept = 'select array_agg(seq::integer order by seq) from willcall.message where topic_id = $1';
    await bench.letTimePass(2 * DAY - 60);
    await engine.retain();
    expect(await bench.value(kept, [queue.topicId])).toEqual([1, 2, 3]);
    await bench.letTimePass(120);
    await engine.retain();
    await bench.letTimePass(120);
    await engine.retain();
    expect(await bench.value(kept, [queue.topicId])).toEqual([3]);
  });
});

describe('a message that was tried', () => {
  it('and waits for another attempt becomes a dead letter of its own, with copy and history', async () => {
    const queue = await createQueue(engine);
    const [id] = await queue.publish('a', 'b');
    const [a, b] = await queue.receive();
    await release(queue, a?.receipt ?? '', 'E1');
    await queue.acknowledge(b?.receipt ?? '');
    await bench.letTimePass(WEEK + 60);
    expect(await engine.retain()).toMatchObject({ expired: 0, dead: 1 });
    expect(await deadLettersOf(queue)).toMatchObject([
      {
        ...{ reason: 'retention', sequence: 1, messageId: id, attempts: 1, body: Buffer.from('a') },
        history: [{ attempt: 1, ended: 'released', errorCode: 'E1' }],
      },
    ]);
    await bench.letTimePass(30 * DAY);
    expect(await queue.receive()).toEqual([]);
  });

  it('and is young yet is left alone', async () => {
    const queue = await createQueue(engine);
    await queue.publish('old');
    await bench.letTimePass(WEEK - 60);
    await queue.publish('young');
    const [old, young] = await queue.receive();
    await release(queue, old?.receipt ?? '', 'E1');
    await release(queue, young?.receipt ?? '', 'E2');
    await bench.letTimePass(120);
    expect(await engine.retain()).toMatchObject({ dead: 1 });
    expect((await engine.getSubscription(queue.name)).stats).toMatchObject({ deferred: 1, deadLetters: 1 });
  });

  it('is not taken from under a live lease, and ends as any other when that ends', async () => {
    const queue = await createQueue(engine);
    await queue.publish('a', 'b');
    const [a] = await queue.receive();
    await bench.letTimePass(WEEK + 60);
    await bench.rows(
      `update willcall.lease set expires_at = now() + interval '10 minutes' where subscription_id = $1`,
      [queue.subscriptionId],
    );
    expect(await engine.retain()).toMatchObject({ expired: 0, dead: 0 });
    await bench.letTimePass(120);
    await engine.retain();
    expect(outcomesOf(await queue.acknowledge(a?.receipt ?? ''))).toEqual(['acknowledged']);
    await bench.letTimePass(600);
    await bench.openEngine().sweep();
    expect(await engine.retain()).toMatchObject({ dead: 1 });
    expect(await deadLettersOf(queue)).toMatchObject([{ sequence: 2, history: [{ ended: 'expired' }] }]);
  });

  it('in numbers beyond one step is done in several', async () => {
    const queue = await createQueue(engine);
    await queue.publish(...Array.from({ length: 1000 }, () => 'a'));
    await queue.publish(...Array.from({ length: 200 }, () => 'a'));
    await bench.rows(
      `insert into willcall.deferred (topic_id, subscription_id, seq, available_at, attempt, failures)
       select topic_id, $2, seq, now() + interval '1 day', 1, 1 from willcall.message where topic_id = $1`,
      [queue.topicId, queue.subscriptionId],
    );
    await bench.rows(
      `insert into willcall.failure (topic_id, subscription_id, seq, generation, attempt, delivery_no, delivered_at, ended_at, ended)
       select topic_id, $2, seq, 1, 1, 1, now(), now(), 'expired' from willcall.message where topic_id = $1`,
      [queue.topicId, queue.subscriptionId],
    );
    await bench.rows('update willcall.delivery set head = 1200 where subscription_id = $1', [queue.subscriptionId]);
    await bench.letTimePass(WEEK + 60);
    expect(await engine.retain()).toMatchObject({ dead: 1200 });
    expect((await engine.getSubscription(queue.name)).stats).toMatchObject({ deferred: 0, deadLetters: 1200 });
  });
});

describe('the delivery log', () => {
  it('loses what is older than the retention and no longer outstanding; its last row stays', async () => {
    const queue = await createQueue(engine);
    await queue.publish('a', 'b', 'c');
    for (let i = 0; i < 3; i += 1) {
      await queue.acknowledge(...(await queue.receive({ maxMessages: 1 })).map(({ receipt }) => receipt));
    }
    await bench.letTimePass(120);
    await engine.retain();
    expect(await deliveriesOf(queue)).toHaveLength(4);
    await bench.letTimePass(WEEK);
    await engine.retain();
    expect(await deliveriesOf(queue)).toMatchObject([{ delivery_no: 4, head: 3 }]);
    await queue.publish('d');
    expect((await queue.receive()).map(({ sequence }) => sequence)).toEqual([4]);
  });

  it('keeps what is outstanding, however old', async () => {
    const queue = await createQueue(engine);
    await queue.publish('a', 'b');
    const [a] = await queue.receive({ maxMessages: 1 });
    await queue.acknowledge(...(await queue.receive()).map(({ receipt }) => receipt));
    await bench.letTimePass(120);
    await engine.retain();
    await bench.letTimePass(WEEK);
    await bench.rows(`update willcall.lease set expires_at = now() + interval '1 day' where subscription_id = $1`, [
      queue.subscriptionId,
    ]);
    await engine.retain();
    expect(await deliveriesOf(queue)).toMatchObject([{ delivery_no: 2 }, { delivery_no: 3 }]);
    expect(outcomesOf(await queue.acknowledge(a?.receipt ?? ''))).toEqual(['acknowledged']);
  });
});

describe('settled marks', () => {
  const marks = `select settled_seq, lease_floor from willcall.settled_mark where subscription_id = $1 order by marked_at`;

  it('note once a minute up to where everything is settled, and from which delivery on leases may live', async () => {
    const queue = await createQueue(engine);
    await queue.publish('a', 'b', 'c', 'd');
    const [a, , c, d] = await queue.receive();
    await queue.acknowledge(a?.receipt ?? '', d?.receipt ?? '');
    await release(queue, c?.receipt ?? '', 'E');
    await engine.retain();
    expect(await bench.rows(marks, [queue.subscriptionId])).toEqual([{ settled_seq: 0, lease_floor: 2 }]);
    await bench.letTimePass(61);
    await engine.retain();
    // The second message is outstanding in delivery 2.
    expect((await bench.rows(marks, [queue.subscriptionId])).at(-1)).toEqual({ settled_seq: 1, lease_floor: 2 });
    await engine.retain();
    expect(await bench.rows(marks, [queue.subscriptionId])).toHaveLength(2);
  });

  it('stop at a deferred message, too', async () => {
    const queue = await createQueue(engine);
    await queue.publish('a', 'b', 'c');
    const [a, b, c] = await queue.receive();
    await queue.acknowledge(a?.receipt ?? '', c?.receipt ?? '');
    await release(queue, b?.receipt ?? '', 'E');
    await bench.letTimePass(61);
    await engine.retain();
    expect((await bench.rows(marks, [queue.subscriptionId])).at(-1)).toEqual({ settled_seq: 1, lease_floor: 3 });
  });

  it('are dropped when a newer one is as old as pruning asks for', async () => {
    const queue = await createQueue(engine);
    for (let i = 0; i < 3; i += 1) {
      await queue.publish('a');
      await queue.acknowledge(await queue.receiveOne());
      await bench.letTimePass(DAY);
      await engine.retain();
    }
    // Each run drops by the marks of those before it: what is left are the newest ripe one and the
    // one after it.
    expect((await bench.rows(marks, [queue.subscriptionId])).map(({ settled_seq }) => settled_seq)).toEqual([2, 3]);
  });
});

describe('a fault', () => {
  it('of one subscription keeps no other from its retention, nor any log from being pruned, and is thrown at the end', async () => {
    const [broken, queue] = [await createQueue(engine), await createQueue(engine)];
    await broken.publish('a');
    await queue.publish('a', 'b');
    await bench.letTimePass(WEEK + 60);
    // No sound database refuses this: the record of where its cursor stands is missing.
    await bench.rows('delete from willcall.delivery where subscription_id = $1', [broken.subscriptionId]);
    await bench.rows(
      `insert into willcall.deferred (topic_id, subscription_id, seq, available_at, attempt, failures)
       select topic_id, $2, 1, now(), 1, 1 from willcall.message where topic_id = $1`,
      [broken.topicId, broken.subscriptionId],
    );
    await expect(engine.retain()).rejects.toMatchObject({ code: 'internal' });
    expect(await deadLettersOf(queue)).toHaveLength(1);
    await bench.letTimePass(2 * WEEK);
    await expect(engine.retain()).rejects.toMatchObject({ code: 'internal' });
    const kept = 'select array_agg(seq::integer) from willcall.message where topic_id = $1';
    expect(await bench.value(kept, [queue.topicId])).toEqual([2]);
  });
  it('of the whole database ends the run', async () => {
    const queues = await Promise.all([1, 2, 3].map(() => createQueue(engine)));
    for (const queue of queues) await queue.publish('a');
    await bench.letTimePass(WEEK + 60);
    const calls: number[] = [];
    const retainSubscription: Store['retention']['retainSubscription'] = async ({ subscriptionId }) => {
      calls.push(subscriptionId);
      throw new WillcallError('database_unavailable', 'away');
    };
    const retention = { ...bench.store.retention, retainSubscription };
    await expect(bench.openEngine({ ...bench.store, retention }).retain()).rejects.toMatchObject({
      code: 'database_unavailable',
    });
    expect(calls).toHaveLength(1);
  });
});
