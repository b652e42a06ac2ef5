// Delayed messages: an id now, a sequence when they enter the log, at their time and not before.

import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { parseMessageId } from '../../src/domain/message-id.ts';
import { CALLER, createQueue, newMessage, type Queue } from '../support/calls.ts';
import { openStoreBench, type StoreBench, type TestEngine } from '../support/store.ts';

let bench: StoreBench;
let engine: TestEngine;

beforeAll(async () => {
  bench = await openStoreBench();
  engine = bench.openEngine();
});
afterAll(() => bench.stop());

const inSeconds = (seconds: number) => new Date(Date.now() + seconds * 1000);

async function bodiesOf(queue: Queue): Promise<string[]> {
  return (await queue.receive()).map(({ body }) => body.toString());
}

describe('a delayed message', () => {
  it('gets an id at once, and no sequence', async () => {
    const queue = await createQueue(engine);
    const messages = [
      newMessage('a', { delaySeconds: 60 }),
      newMessage('b'),
      newMessage('c', { deliverAt: inSeconds(60) }),
      newMessage('d'),
    ];
    const published = await engine.publish({ topic: queue.name, messages, caller: CALLER });
    expect(published.map(({ sequence }) => sequence)).toEqual([null, 1, null, 2]);
    expect(published.map(({ id }) => parseMessageId(id)?.[0])).toEqual([2, 1, 2, 1]);
    expect(new Set(published.map(({ id }) => id)).size).toBe(4);
  });

  it('is not receivable before its time, and then under its id', async () => {
    const queue = await createQueue(engine);
    const [id] = await queue.publish(
      newMessage('later', { delaySeconds: 3600, attributes: { a: '1' }, orderingKey: 'k' }),
    );
    await engine.sweep();
    expect(await queue.receive()).toEqual([]);
    await bench.letTimePass(3600);
    await bench.openEngine().sweep();
    const message = await queue.receiveOne();
    expect(message).toMatchObject({ id, sequence: 1, attempt: 1, attributes: { a: '1' }, orderingKey: 'k' });
    expect(message.body.toString()).toBe('later');
  });

  it('enters the log once, in the order of due times, stamped with the moment of entry', async () => {
    const queue = await createQueue(engine);
    await queue.publish(newMessage('third', { delaySeconds: 300 }));
    await queue.publish(newMessage('second', { delaySeconds: 200 }), newMessage('first', { delaySeconds: 100 }));
    await bench.letTimePass(400);
    const before = new Date();
    const sweeps = await Promise.all([bench.openEngine().sweep(), bench.openEngine().sweep()]);
    expect(sweeps.map(({ appended }) => appended).sort()).toEqual([0, 3]);
    const messages = await queue.receive();
    expect(messages.map(({ body, sequence }) => [body.toString(), sequence])).toEqual([
      ['first', 1],
      ['second', 2],
      ['third', 3],
    ]);
    for (const { publishedAt } of messages) expect(publishedAt.getTime()).toBeGreaterThanOrEqual(before.getTime() - 1);
    const left = 'select count(*) from willcall.scheduled where topic_id = $1';
    expect(await bench.value(left, [queue.topicId])).toBe(0);
    const sequences =
      'select array_agg(seq::integer order by seq) from willcall.scheduled_sequence where topic_id = $1';
    expect(await bench.value(sequences, [queue.topicId])).toEqual([1, 2, 3]);
  });

  it('has its digest in the ledger once acknowledged', async () => {
    const queue = await createQueue(engine);
    const [id] = await queue.publish(newMessage('x', { delaySeconds: 10 }));
    await bench.letTimePass(10);
    await bench.openEngine().sweep();
    await queue.acknowledge(await queue.receiveOne());
    const row = await bench.rows(
      `select encode(body_sha256, 'hex') = encode(sha256('x'), 'hex') as digest, message_id
       from willcall.acknowledgment where topic_id = $1`,
      [queue.topicId],
    );
    expect(row).toEqual([{ digest: true, message_id: parseMessageId(id ?? '') }]);
  });

  it('enters the log at once when its time is past already', async () => {
    const queue = await createQueue(engine);
    const messages = [newMessage('a', { deliverAt: inSeconds(-60) }), newMessage('b', { delaySeconds: 0 })];
    const published = await engine.publish({ topic: queue.name, messages, caller: CALLER });
    expect(published.map(({ sequence }) => sequence)).toEqual([1, 2]);
    expect(await bodiesOf(queue)).toEqual(['a', 'b']);
  });

  it('goes with its topic', async () => {
    const queue = await createQueue(engine);
    await queue.publish(newMessage('a', { delaySeconds: 10 }));
    await engine.deleteTopic(queue.name, CALLER);
    await bench.letTimePass(10);
    expect(await bench.openEngine().sweep()).toMatchObject({ appended: 0 });
    const left = 'select count(*) from willcall.scheduled where topic_id = $1';
    expect(await bench.value(left, [queue.topicId])).toBe(0);
  });
});

describe('a receive that is parked', () => {
  it('is answered when a delayed message falls due, on its own timer between two sweeps', async () => {
    const queue = await createQueue(engine);
    const parked = queue.receiveOne({ waitSeconds: 20 });
    await queue.publish(newMessage('soon', { delaySeconds: 0.3 }));
    // The sweep sees that it will be due, and sets a timer; no second sweep runs.
    const { appended } = await engine.sweep();
    expect(appended).toBe(0);
    expect((await parked).body.toString()).toBe('soon');
  });
});
