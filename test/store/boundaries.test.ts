// Where one thing ends and the next begins: a time that is exactly the one asked for, and the
// message behind the last one that is dropped.

import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { CALLER, createQueue, freshName, outcomesOf, type Queue, queueOf } from '../support/calls.ts';
import { openStoreBench, type StoreBench, type TestEngine } from '../support/store.ts';

const NOON = '2026-03-01T12:00:00.000Z';

let bench: StoreBench;
let engine: TestEngine;
let queue: Queue;
beforeAll(async () => {
  bench = await openStoreBench();
  engine = bench.openEngine();
});
afterAll(() => bench.stop());
beforeEach(async () => {
  await bench.clear();
  queue = await createQueue(engine, { minBackoffSeconds: 0, maxBackoffSeconds: 0 });
});

const error = { code: 'E', message: null };

/** Five messages, or rows of the ledger: before noon, at noon three times, after it. */
const around = (table: string, column: string, number: string) =>
  bench.rows(
    `update willcall.${table}
     set ${column} = $2::timestamptz + case ${number} when 1 then -1 when 5 then 1 else 0 end * interval '1 microsecond'
     where topic_id = $1`,
    [queue.topicId, NOON],
  );

describe('a subscription that starts at a time', () => {
  it('begins with the first message that was published at exactly that time', async () => {
    await queue.publish('1', '2', '3', '4', '5');
    await around('message', 'published_at', 'seq');
    const name = freshName();
    const request = { name, topic: queue.name, settings: {}, caller: CALLER };
    await engine.createSubscription({ ...request, start: new Date(NOON) });
    expect((await engine.getSubscription(name)).stats.backlog).toBe(4);
  });
});

describe('the ledger from a time on', () => {
  it('begins with the first row of exactly that time', async () => {
    await queue.publish('1', '2', '3', '4', '5');
    await queue.acknowledge(...(await queue.receive()).map(({ receipt }) => receipt));
    await around('acknowledgment', 'acknowledged_at', 'ack_no');
    const first = 'select willcall.first_ack_since($1, $2, $3)';
    expect(await bench.value(first, [queue.topicId, queue.subscriptionId, NOON])).toBe(2);
  });
});

describe('pruning', () => {
  async function pruneFirst(): Promise<void> {
    await engine.updateTopic({ name: queue.name, settings: { retainAcknowledgedSeconds: 0 }, caller: CALLER });
    await bench.letTimePass(61);
    await engine.retain();
    await engine.retain();
    const left = 'select min(seq) from willcall.message where topic_id = $1';
    expect(await bench.value(left, [queue.topicId])).toBe(2);
  }

  it('leaves the next message its failed attempts, for its dead letter and for who signs late', async () => {
    await queue.publish('a', 'b', 'c');
    const [a, b] = await queue.receive({ maxMessages: 2 });
    await queue.acknowledge(a?.receipt ?? '');
    await queue.release(b?.receipt ?? '', { error, delaySeconds: 0 });
    await pruneFirst();
    const history = 'select attempt, ended from willcall.failure where topic_id = $1';
    expect(await bench.rows(history, [queue.topicId])).toEqual([{ attempt: 1, ended: 'released' }]);
    // An engine of its own: this one remembers until when nothing deferred was left.
    const [again] = await queueOf(bench.openEngine(), queue.name, queue).receive({ maxMessages: 1 });
    expect([again?.sequence, again?.attempt]).toEqual([2, 2]);
    expect(outcomesOf(await queue.reject(again?.receipt ?? '', error))).toEqual(['rejected']);
    const dead = 'select jsonb_array_length(history) from willcall.dead_letter where topic_id = $1';
    expect(await bench.value(dead, [queue.topicId])).toBe(2);
  });

  it('leaves the message behind the last one that everybody settled', async () => {
    await queue.publish('a', 'b', 'c');
    const [a] = await queue.receive({ maxMessages: 1 });
    await queue.acknowledge(a?.receipt ?? '');
    await pruneFirst();
    expect((await queue.receive()).map(({ sequence }) => sequence)).toEqual([2, 3]);
  });

  it('leaves the delivery that still has a lease', async () => {
    await queue.publish('a', 'b');
    const [a] = await queue.receive({ maxMessages: 1, visibilityTimeoutSeconds: 43_200 });
    const [b] = await queue.receive({ maxMessages: 1 });
    await queue.acknowledge(b?.receipt ?? '');
    await engine.updateTopic({
      ...{ name: queue.name, caller: CALLER },
      settings: { retentionSeconds: 120, retainAcknowledgedSeconds: 0 },
    });
    await bench.letTimePass(3600);
    await engine.retain();
    await engine.retain();
    expect(outcomesOf(await queue.acknowledge(a?.receipt ?? ''))).toEqual(['acknowledged']);
  });
});

describe('a late acknowledgment', () => {
  it('takes a deferred message of its own attempt only', async () => {
    await queue.publish('a');
    await queue.release((await queue.receiveOne()).receipt);
    const late = `select willcall.acknowledge_late(_topic_id => $1, _subscription_id => $2, _at => now(), _ack_no => 1,
      _delivery_no => 2, _seq => 1, _attempt => $3, _dead_letter_no => null, _principal => 'test', _key_id => null,
      _reference => null)`;
    const ids = [queue.topicId, queue.subscriptionId];
    expect(await bench.value(late, [...ids, 2])).toBe(false);
    expect(await bench.value('select count(*) from willcall.deferred where topic_id = $1', [queue.topicId])).toBe(1);
    expect(await bench.value(late, [...ids, 1])).toBe(true);
  });
});
