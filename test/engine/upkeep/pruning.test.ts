// Pruning of a topic's log: below every cursor, lease, deferred message and pin, in bounded steps,
// never the last row.

import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import type { SubscriptionChanges } from '../../../src/engine/subscriptions.ts';
import type { TopicChanges } from '../../../src/engine/topics.ts';
import type { Store } from '../../../src/store/index.ts';
import { CALLER, createQueue, freshName, newMessage, type Queue, queueOf } from '../../support/calls.ts';
import { openStoreBench, type StoreBench, type TestEngine } from '../../support/store.ts';

const HOUR = 3600;
const DAY = 86_400;

let bench: StoreBench;
let engine: TestEngine;

beforeAll(async () => {
  bench = await openStoreBench();
  engine = bench.openEngine();
});
afterAll(() => bench.stop());
beforeEach(() => bench.clear());

/** A queue whose topic keeps what everybody settled for an hour. */
async function createTopic(settings: TopicChanges = {}, of: SubscriptionChanges = {}): Promise<Queue> {
  const queue = await createQueue(engine, of);
  await engine.updateTopic({
    name: queue.name,
    settings: { retainAcknowledgedSeconds: HOUR, ...settings },
    caller: CALLER,
  });
  return queue;
}

async function subscribe(topic: Queue, start: 'earliest' | 'latest' = 'earliest'): Promise<Queue> {
  const name = freshName('sub');
  const request = { name, topic: topic.name, start, settings: {}, caller: CALLER };
  return queueOf(engine, name, (await engine.createSubscription(request)).subscription, topic.name);
}

async function settleAll(queue: Queue): Promise<void> {
  await queue.acknowledge(...(await queue.receive({ maxMessages: 1000 })).map(({ receipt }) => receipt));
}

/** Long enough for a mark, and for that mark to ripen. */
async function ripen(): Promise<void> {
  await bench.letTimePass(61);
  await engine.retain();
  await bench.letTimePass(HOUR + 60);
  await engine.retain();
}

function logOf(queue: Queue): Promise<number[] | null> {
  const text = 'select array_agg(seq::integer order by seq) from willcall.message where topic_id = $1';
  return bench.value(text, [queue.topicId]);
}

describe('what everybody has settled', () => {
  it('is pruned after its time, but for the last row, and the numbers go on', async () => {
    const queue = await createTopic();
    await queue.publish('a', 'b', 'c');
    await settleAll(queue);
    await ripen();
    expect(await logOf(queue)).toEqual([3]);
    await queue.publish('d');
    expect((await queue.receive()).map(({ sequence }) => sequence)).toEqual([4]);
  });

  it('is kept for as long as the topic keeps acknowledged messages', async () => {
    const queue = await createTopic({ retainAcknowledgedSeconds: DAY });
    await queue.publish('a', 'b', 'c');
    await settleAll(queue);
    await ripen();
    expect(await logOf(queue)).toEqual([1, 2, 3]);
    await bench.letTimePass(DAY);
    await engine.retain();
    expect(await logOf(queue)).toEqual([3]);
  });

  it('leaves its ledger and its dead letters whole', async () => {
    const queue = await createTopic();
    await queue.publish('a', 'b', 'c');
    const [a, b, c] = await queue.receive();
    await queue.acknowledge(a?.receipt ?? '', c?.receipt ?? '');
    await queue.reject(b?.receipt ?? '');
    const read = async () => [
      await engine.listAcknowledgments({ subscription: queue.name, limit: 10 }),
      (await engine.listDeadLetters({ subscription: queue.name, limit: 10 })).deadLetters.map(({ body, history }) => [
        body?.toString(),
        history.length,
      ]),
    ];
    const before = await read();
    await ripen();
    expect(await logOf(queue)).toEqual([3]);
    const [ledger, dead] = await read();
    expect(dead).toEqual([['b', 1]]);
    // Times were moved by the test; the rest is as it was.
    const withoutTimes = (page: unknown) =>
      JSON.parse(JSON.stringify(page, (key, value) => (key.endsWith('At') ? undefined : value)));
    expect(withoutTimes(ledger)).toEqual(withoutTimes(before[0]));
  });

  it('goes with its failure records, however many there are, and the numbers of delayed messages', async () => {
    const queue = await createTopic();
    const bodies = Array.from({ length: 250 }, () => newMessage('a', { delaySeconds: 1 }));
    await queue.publish(...bodies);
    await bench.letTimePass(1);
    await bench.openEngine().sweep();
    await settleAll(queue);
    await bench.rows(
      `insert into willcall.failure (topic_id, subscription_id, seq, generation, attempt, delivery_no, delivered_at, ended_at, ended)
       select topic_id, $2, seq, 1, n, 1, now(), now(), 'expired'
       from willcall.message cross join generate_series(1, 10) n where topic_id = $1`,
      [queue.topicId, queue.subscriptionId],
    );
    await queue.publish('last');
    await settleAll(queue);
    await ripen();
    expect(await logOf(queue)).toEqual([251]);
    const left = (table: string) =>
      bench.value(`select count(*) from willcall.${table} where topic_id = $1`, [queue.topicId]);
    expect(await left('scheduled_sequence')).toBe(0);
    expect(await left('failure')).toBe(0);
  });
});

describe('what somebody may still need', () => {
  it('is kept: the backlog of one subscription among others', async () => {
    const topic = await createTopic();
    const slow = await subscribe(topic);
    await topic.publish('a', 'b', 'c');
    await settleAll(topic);
    await slow.acknowledge(...(await slow.receive({ maxMessages: 1 })).map(({ receipt }) => receipt));
    await ripen();
    expect(await logOf(topic)).toEqual([2, 3]);
    await settleAll(slow);
    await ripen();
    expect(await logOf(topic)).toEqual([3]);
  });

  it('is kept: a message in flight', async () => {
    const queue = await createTopic();
    await queue.publish('a', 'b', 'c', 'd');
    const messages = await queue.receive();
    await queue.acknowledge(...messages.filter(({ sequence }) => sequence !== 2).map(({ receipt }) => receipt));
    await bench.rows(`update willcall.lease set expires_at = now() + interval '1 day'`);
    await ripen();
    expect(await logOf(queue)).toEqual([2, 3, 4]);
    expect(await queue.acknowledge(messages[1]?.receipt ?? '')).toMatchObject({ failed: 0 });
  });

  it('is kept: a message that waits for another attempt', async () => {
    const queue = await createTopic();
    await queue.publish('a', 'b', 'c', 'd');
    const messages = await queue.receive();
    await queue.acknowledge(...messages.filter(({ sequence }) => sequence !== 2).map(({ receipt }) => receipt));
    await queue.release(messages[1]?.receipt ?? '', { delaySeconds: 2 * HOUR });
    await ripen();
    expect(await logOf(queue)).toEqual([2, 3, 4]);
    await bench.letTimePass(2 * HOUR);
    // A floor that is remembered does not move with the test's time.
    const fresh = queueOf(bench.openEngine(), queue.name, queue);
    expect((await fresh.receiveOne()).body.toString()).toBe('b');
  });

  it('is not what lay before the start of the youngest subscription', async () => {
    const topic = await createTopic();
    await topic.publish('a', 'b', 'c');
    await settleAll(topic);
    await bench.letTimePass(61);
    await engine.retain();
    await bench.letTimePass(HOUR);
    await subscribe(topic, 'latest');
    await engine.retain();
    expect(await logOf(topic)).toEqual([3]);
  });

  it('is not what a deleted subscription left', async () => {
    const topic = await createTopic();
    const leaver = await subscribe(topic);
    await topic.publish('a', 'b');
    await settleAll(topic);
    await ripen();
    expect(await logOf(topic)).toEqual([1, 2]);
    await engine.deleteSubscription(leaver.name, CALLER);
    await engine.retain();
    expect(await logOf(topic)).toEqual([2]);
  });
});

describe('a topic', () => {
  it('without subscriptions keeps its messages for its retention, for somebody who starts at the earliest', async () => {
    const { topic } = await engine.createTopic({
      name: freshName(),
      settings: { retentionSeconds: DAY },
      caller: CALLER,
    });
    const queue = queueOf(engine, topic.name, { topicId: topic.topicId, subscriptionId: 0 });
    await queue.publish('a', 'b');
    await bench.letTimePass(DAY - 60);
    await queue.publish('c', 'd');
    await engine.retain();
    expect(await logOf(queue)).toEqual([1, 2, 3, 4]);
    await bench.letTimePass(120);
    await engine.retain();
    expect(await logOf(queue)).toEqual([3, 4]);
  });

  it('that was deleted loses its log, but for the last row', async () => {
    const queue = await createTopic();
    await queue.publish('a', 'b', 'c');
    await queue.receive();
    await engine.deleteTopic(queue.name, CALLER);
    await engine.retain();
    expect(await logOf(queue)).toEqual([3]);
  });
});

describe('the work', () => {
  it('is done in bounded steps, each from where the last one ended, over runs', async () => {
    const steps: { floor: number | null; pruned: number; limit: number }[] = [];
    const pruneTopic: Store['retention']['pruneTopic'] = async (topicId, floor, limit) => {
      const outcome = await bench.store.retention.pruneTopic(topicId, floor, limit);
      steps.push({ floor, limit, pruned: outcome.pruned });
      return outcome;
    };
    const store = { ...bench.store, retention: { ...bench.store.retention, pruneTopic } };
    const watched = bench.openEngine(store);
    const queue = await createTopic();
    for (const count of [1000, 1000, 500]) {
      await queue.publish(...Array.from({ length: count }, () => 'a'));
      await settleAll(queue);
    }
    await bench.letTimePass(61);
    await engine.retain();
    await bench.letTimePass(HOUR);
    expect(await watched.retain()).toMatchObject({ pruned: 2499 });
    // Nothing is left to do, so nothing is tried; what comes later begins where the last step
    // ended.
    await watched.retain();
    await queue.publish('the next last row');
    await watched.retain();
    expect(steps).toEqual([
      { floor: 0, pruned: 1000, limit: 1000 },
      { floor: 1000, pruned: 1000, limit: 1000 },
      { floor: 2000, pruned: 499, limit: 1000 },
      { floor: 2499, pruned: 1, limit: 1000 },
    ]);
  });
});
