// receive without waiting: what is handed out, how much of it, and to whom.

import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { parseReceipt } from '../../src/domain/receipt.ts';
import type { StartPosition } from '../../src/domain/subscription.ts';
import { CALLER, codeOf, createQueue, freshName, type Queue, queueOf, receiveRequest } from '../support/calls.ts';
import { openStoreBench, type StoreBench, type TestEngine } from '../support/store.ts';

let bench: StoreBench;
let engine: TestEngine;

beforeAll(async () => {
  bench = await openStoreBench();
  engine = bench.openEngine();
});
afterAll(() => bench.stop());

type Fields = Parameters<Queue['receive']>[0];

async function sequencesOf(queue: Queue, fields: Fields = {}): Promise<number[]> {
  return (await queue.receive(fields)).map(({ sequence }) => sequence);
}

describe('receive', () => {
  it('hands out the log in order, each message once, and nothing while all is in flight', async () => {
    const queue = await createQueue(engine);
    await queue.publish('a', 'b', 'c');
    expect(await sequencesOf(queue, { maxMessages: 2 })).toEqual([1, 2]);
    expect(await sequencesOf(queue)).toEqual([3]);
    expect(await sequencesOf(queue)).toEqual([]);
  });

  it('says what the message is: attempt, times, and a receipt of this delivery', async () => {
    const queue = await createQueue(engine, { visibilityTimeoutSeconds: 60 });
    const [id] = await queue.publish('a');
    const message = await queue.receiveOne();
    expect(message).toMatchObject({ id, sequence: 1, attempt: 1 });
    const [delivery] = await bench.rows<{ at: Date; nonce: string; principal: string }>(
      'select at, nonce::text, principal from willcall.delivery where subscription_id = $1 and delivery_no = 2',
      [queue.subscriptionId],
    );
    expect(delivery?.principal).toBe(CALLER);
    expect(parseReceipt(message.receipt)).toEqual({
      ...{ topicId: queue.topicId, subscriptionId: queue.subscriptionId, deliveryNo: 2, sequence: 1 },
      nonce: BigInt(delivery?.nonce ?? 0),
    });
    expect(message.visibleUntil.getTime() - (delivery?.at.getTime() ?? 0)).toBe(60_000);
    expect(message.publishedAt.getTime()).toBeLessThanOrEqual(delivery?.at.getTime() ?? 0);
  });

  it("takes the caller's visibility timeout over the subscription's", async () => {
    const queue = await createQueue(engine, { visibilityTimeoutSeconds: 60 });
    await queue.publish('a');
    await queue.receiveOne({ visibilityTimeoutSeconds: 7 });
    const timeout = `select extract(epoch from l.expires_at - d.at)::integer from willcall.lease l
      join willcall.delivery d using (topic_id, subscription_id, delivery_no) where l.subscription_id = $1`;
    expect(await bench.value(timeout, [queue.subscriptionId])).toBe(7);
  });

  it('hands out the first message however large, then as many as fit', async () => {
    const queue = await createQueue(engine);
    await queue.publish('x'.repeat(50), 'x'.repeat(10), 'x'.repeat(10), 'x'.repeat(11), 'x');
    expect(await sequencesOf(queue, { maxBytes: 20 })).toEqual([1]);
    expect(await sequencesOf(queue, { maxBytes: 20 })).toEqual([2, 3]);
    expect(await sequencesOf(queue, { maxBytes: 12 })).toEqual([4, 5]);
  });

  it('gives callers of one moment deliveries of their own, without a message in two', async () => {
    const queue = await createQueue(engine);
    await queue.publish(...Array.from({ length: 12 }, (_, i) => `${i}`));
    const answers = await Promise.all(Array.from({ length: 5 }, () => queue.receive({ maxMessages: 3 })));
    const sequences = answers.flatMap((messages) => messages.map(({ sequence }) => sequence));
    expect(sequences.sort((a, b) => a - b)).toEqual(Array.from({ length: 12 }, (_, i) => i + 1));
    const receipts = answers.flat().map(({ receipt }) => parseReceipt(receipt));
    const nonces = new Set(receipts.map((receipt) => receipt?.nonce));
    expect(nonces.size).toBe(answers.filter((messages) => messages.length > 0).length);
  });

  it('is refused when there is no such subscription', async () => {
    expect(await codeOf(engine.receive(receiveRequest(freshName())))).toBe('subscription_not_found');
  });

  it('hands out what comes again before what is fresh, with its attempt counted', async () => {
    const queue = await createQueue(engine);
    await queue.publish('a', 'b', 'c');
    const [first, second] = await queue.receive({ maxMessages: 2 });
    await queue.release(second?.receipt ?? '');
    await queue.release(first?.receipt ?? '');
    const again = await queue.receive();
    expect(again.map(({ sequence, attempt }) => [sequence, attempt])).toEqual([
      [2, 2],
      [1, 2],
      [3, 1],
    ]);
  });
});

describe("a subscription's delay", () => {
  it('keeps messages back until they are that old', async () => {
    const queue = await createQueue(engine, { delaySeconds: 100 });
    await queue.publish('a');
    await bench.letTimePass(60);
    await queue.publish('b');
    expect(await sequencesOf(queue)).toEqual([]);
    await bench.letTimePass(45);
    expect(await sequencesOf(queue)).toEqual([1]);
    await bench.letTimePass(60);
    expect(await sequencesOf(queue)).toEqual([2]);
  });

  it('does not keep back what comes again', async () => {
    const queue = await createQueue(engine, { delaySeconds: 100 });
    await queue.publish('a');
    await bench.letTimePass(100);
    await queue.release(await queue.receiveOne());
    expect(await sequencesOf(queue)).toEqual([1]);
  });
});

describe('max_in_flight', () => {
  it('bounds what is outstanding, over deliveries, fresh or again', async () => {
    const queue = await createQueue(engine, { maxInFlight: 3 });
    await queue.publish('a', 'b', 'c', 'd', 'e');
    expect(await sequencesOf(queue, { maxMessages: 2 })).toEqual([1, 2]);
    const third = await queue.receiveOne();
    expect(third.sequence).toBe(3);
    expect(await sequencesOf(queue)).toEqual([]);
    await queue.release(third);
    expect(await sequencesOf(queue)).toEqual([3]);
    expect(await sequencesOf(queue)).toEqual([]);
  });

  it('lets in as many as were settled', async () => {
    const queue = await createQueue(engine, { maxInFlight: 3 });
    await queue.publish('a', 'b', 'c', 'd', 'e', 'f');
    const [a, b] = await queue.receive();
    await queue.acknowledge(a?.receipt ?? '');
    expect(await sequencesOf(queue)).toEqual([4]);
    await queue.reject(b?.receipt ?? '');
    expect(await sequencesOf(queue)).toEqual([5]);
  });

  it('holds for callers of one moment together', async () => {
    const queue = await createQueue(engine, { maxInFlight: 5 });
    await queue.publish(...Array.from({ length: 10 }, (_, i) => `${i}`));
    const answers = await Promise.all(Array.from({ length: 4 }, () => queue.receive({ maxMessages: 2 })));
    expect(answers.map((messages) => messages.length).sort()).toEqual([0, 1, 2, 2]);
  });

  it('counts again when it is set later', async () => {
    const queue = await createQueue(engine);
    await queue.publish('a', 'b', 'c');
    await queue.receive({ maxMessages: 2 });
    await engine.updateSubscription({ name: queue.name, settings: { maxInFlight: 2 }, caller: CALLER });
    expect(await sequencesOf(queue)).toEqual([]);
    await engine.updateSubscription({ name: queue.name, settings: { maxInFlight: null }, caller: CALLER });
    expect(await sequencesOf(queue)).toEqual([3]);
  });
});

describe('several subscriptions of a topic', () => {
  async function subscribe(topic: Queue, start?: StartPosition): Promise<Queue> {
    const name = freshName('sub');
    const request = { name, topic: topic.name, settings: {}, caller: CALLER, start };
    return queueOf(engine, name, (await engine.createSubscription(request)).subscription, topic.name);
  }

  it('each get every message, and settle it for themselves alone', async () => {
    const topic = await createQueue(engine);
    const other = await subscribe(topic);
    await topic.publish('a', 'b');
    const [own] = await topic.receive();
    await topic.acknowledge(own?.receipt ?? '');
    expect(await sequencesOf(other)).toEqual([1, 2]);
    expect((await engine.getSubscription(other.name)).stats.inFlight).toBe(2);
    expect((await engine.getSubscription(topic.name)).stats.inFlight).toBe(1);
  });

  it('begin where they were told: the oldest message kept, what comes, or an instant', async () => {
    const topic = await createQueue(engine);
    await topic.publish('a');
    await topic.publish('b');
    await bench.letTimePass(1000);
    const [from, before] = [-2000, -500].map((seconds) => new Date(Date.now() + seconds * 1000));
    await topic.publish('c');
    const starts: [StartPosition | undefined, number[]][] = [
      ['earliest', [1, 2, 3, 4]],
      ['latest', [4]],
      [undefined, [4]],
      [from, [1, 2, 3, 4]],
      [before, [3, 4]],
    ];
    const subscriptions = await Promise.all(starts.map(([start]) => subscribe(topic, start)));
    await topic.publish('d');
    const received = await Promise.all(subscriptions.map((subscription) => sequencesOf(subscription)));
    expect(received).toEqual(starts.map(([, sequences]) => sequences));
  });

  it('begin with the oldest message kept when the first ones were pruned', async () => {
    const topic = await createQueue(engine);
    await topic.publish('a', 'b', 'c');
    await bench.rows('delete from willcall.message where topic_id = $1 and seq = 1', [topic.topicId]);
    expect(await sequencesOf(await subscribe(topic, 'earliest'))).toEqual([2, 3]);
    expect(await sequencesOf(await subscribe(topic, new Date(0)))).toEqual([2, 3]);
  });
});
