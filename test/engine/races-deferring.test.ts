// What defers a message commits while other looks go on, and those raise the floor below which
// nothing deferred is looked for: a message that was due before they looked, and shows up after,
// must not be below it.

import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { createQueue, type Queue } from '../support/calls.ts';
import { openStoreBench, type Session, type StoreBench, type TestEngine } from '../support/store.ts';

let bench: StoreBench;
let engine: TestEngine;
let other: Session;
let queue: Queue;

beforeAll(async () => {
  bench = await openStoreBench();
  engine = bench.openEngine();
  other = await bench.openSession();
});
afterAll(() => bench.stop());
beforeEach(async () => {
  queue = await createQueue(engine, { minBackoffSeconds: 0 });
});

const sequencesOf = (messages: readonly { sequence: number }[]) => messages.map(({ sequence }) => sequence);

/**
 * Publishes and receives one message after the other, until the database's clock has gone on by
 * more than the floor leaves to it: each look hands something out and learns from the last one.
 */
async function lookOften(): Promise<void> {
  const begunAt = await bench.value<Date>('select clock_timestamp()');
  const isOver = () =>
    bench.value<boolean>("select clock_timestamp() > $1::timestamptz + interval '300 ms'", [begunAt]);
  do {
    await queue.publish('more');
    expect(await queue.receive({ maxMessages: 1 })).toHaveLength(1);
  } while (!(await isOver()));
}

describe('a look that comes while a message is being deferred', () => {
  it('leaves the message to be found when a lease is ended slowly', async () => {
    await queue.publish('a');
    const [message] = await queue.receive();
    await bench.rows('update willcall.lease set expires_at = clock_timestamp() where subscription_id = $1', [
      queue.subscriptionId,
    ]);
    await other.rows('begin');
    const end = 'select ended::integer from willcall.expire($1, $2, true, 1, 1, array[2::bigint], array[0])';
    expect(await other.value(end, [queue.topicId, queue.subscriptionId])).toBe(1);
    await lookOften();
    expect(await queue.receive()).toEqual([]);
    await other.rows('commit');
    expect(sequencesOf(await queue.receive())).toEqual([message?.sequence]);
  });

  it('leaves what others defer to be found however long a stranger has been writing', async () => {
    await other.rows('begin');
    await other.rows('select pg_current_xact_id()');
    await queue.publish('a');
    const [message] = await queue.receive();
    await lookOften();
    await queue.release(message ?? { receipt: '' });
    expect(sequencesOf(await queue.receive())).toEqual([message?.sequence]);
    await other.rows('rollback');
  });
});
