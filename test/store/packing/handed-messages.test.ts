// What a receive hands out is packed in the database and unpacked here: whatever the messages are,
// whoever waits for them and by whichever of the two functions, each comes out as it went in, in
// its place.

import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { NewMessage } from '../../../src/domain/message.ts';
import type { WaiterRow } from '../../../src/store/deliveries.ts';
import type { HandedMessage } from '../../../src/store/packing/handed-messages.ts';
import { createQueue, newMessage, type Queue } from '../../support/calls.ts';
import { openStoreBench, type StoreBench, type TestEngine } from '../../support/store.ts';

const BYTES_MAX = 4 * 1024 * 1024;

let bench: StoreBench;
let engine: TestEngine;

beforeAll(async () => {
  bench = await openStoreBench();
  engine = bench.openEngine();
});
afterAll(() => bench.stop());

const text = fc.string({ unit: 'binary', maxLength: 12 }).map((any) => any.toWellFormed().replaceAll('\0', ' '));
const contentType = fc.oneof(
  fc.constantFrom('application/xml', 'text/plain; charset="a,b"', 'NULL', '{"\\",}', ''),
  text,
);
const attributes = fc.dictionary(fc.stringMatching(/^[A-Za-z0-9][A-Za-z0-9._-]{0,8}$/), text, { maxKeys: 3 });
const body = fc.oneof(
  fc.uint8Array({ maxLength: 200 }).map((bytes) => Buffer.from(bytes)),
  text.map(Buffer.from),
);

/** Messages that have nothing in common, or all of it. */
const batch: fc.Arbitrary<NewMessage[]> = fc
  .oneof(
    fc.array(fc.tuple(body, fc.option(contentType), fc.option(attributes), fc.option(text)), { maxLength: 8 }),
    fc
      .tuple(body, fc.option(contentType), fc.option(attributes), fc.option(text))
      .chain((one) => fc.array(fc.constant(one), { maxLength: 8 })),
  )
  .map((messages) =>
    messages.map(([bytes, type, named, orderingKey]) =>
      newMessage(bytes, { contentType: type, attributes: named, orderingKey }),
    ),
  );

const waiter = (fields: Partial<WaiterRow> = {}): WaiterRow => ({
  ...{ maxMessages: 10, maxBytes: BYTES_MAX, visibilityTimeoutSeconds: null, nonce: 7n, principal: 'test' },
  receiveKey: null,
  ...fields,
});

/**
 * Several queues in one statement; the general function is what a call goes to that waits for its
 * locks.
 */
async function receive(queues: readonly Queue[], waiters: readonly WaiterRow[], way: 'plain' | 'general') {
  const groups = queues.map(({ topicId, subscriptionId }) => ({
    ...{ topicId, subscriptionId, waiters, deferredFloor: null, leaseFloor: 0 },
  }));
  const outcomes = await bench.store.deliveries.receive(groups, way === 'general', BYTES_MAX);
  return outcomes.map(({ handed }) => handed);
}

/** In the words of publishing. */
const contentsOf = (messages: readonly HandedMessage[]) =>
  messages.map((message) => ({
    id: message.messageId.toString('base64url'),
    message: newMessage(message.body, {
      contentType: message.contentType,
      attributes: message.attributes,
      orderingKey: message.orderingKey,
    }),
  }));

const placesOf = (messages: readonly HandedMessage[]) =>
  messages.map(({ deliveryNo, sequence, attempt, publishedAt }) => ({ deliveryNo, sequence, attempt, publishedAt }));

/** Publishes each batch by a call of its own; what then stands in the log. */
async function fill(queue: Queue, batches: readonly NewMessage[][]) {
  const published: { id: string; message: NewMessage }[] = [];
  for (const messages of batches) {
    if (messages.length === 0) continue;
    const ids = await queue.publish(...messages);
    published.push(...messages.map((message, i) => ({ id: ids[i] ?? '', message })));
  }
  const times = await bench.rows<{ at: Date }>(
    'select published_at as at from willcall.message where topic_id = $1 order by seq',
    [queue.topicId],
  );
  return { published, times: times.map(({ at }) => at) };
}

describe('messages', () => {
  it.each(['plain', 'general'] as const)('come out as they went in, each to its waiter: %s', async (way) => {
    await fc.assert(
      fc.asyncProperty(
        fc.tuple(fc.array(batch, { maxLength: 3 }), fc.array(batch, { maxLength: 3 })),
        fc.array(fc.integer({ min: 1, max: 9 }), { minLength: 1, maxLength: 4 }),
        async (batches, sizes) => {
          const queues = [await createQueue(engine), await createQueue(engine)];
          const logs = [];
          for (const [i, queue] of queues.entries()) logs.push(await fill(queue, batches[i] ?? []));
          const waiters = sizes.map((maxMessages) => waiter({ maxMessages }));
          const handed = await receive(queues, waiters, way);
          for (const [i, { published, times }] of logs.entries()) {
            let from = 0;
            for (const [w, size] of sizes.entries()) {
              const messages = handed[i]?.[w] ?? [];
              expect(contentsOf(messages)).toEqual(published.slice(from, from + size));
              expect(placesOf(messages)).toEqual(
                times.slice(from, from + size).map((publishedAt, k) => ({
                  ...{ deliveryNo: w + 2, sequence: from + k + 1, attempt: 1, publishedAt },
                })),
              );
              from += size;
            }
          }
        },
      ),
      { numRuns: 40 },
    );
  });

  it('come out once more as they did, when a delivery is asked for again', async () => {
    await fc.assert(
      fc.asyncProperty(batch, async (messages) => {
        const queue = await createQueue(engine);
        const { published } = await fill(queue, [messages]);
        const waiters = [waiter({ maxMessages: 3, receiveKey: 'a' }), waiter({ maxMessages: 2, receiveKey: 'b' })];
        const [first] = await receive([queue], waiters, 'plain');
        const [again] = await receive([queue], [...waiters].reverse(), 'plain');
        expect(again?.map(contentsOf).reverse()).toEqual(first?.map(contentsOf));
        expect(again?.map(placesOf).reverse()).toEqual(first?.map(placesOf));
        expect(again?.flat().every(({ nonce }) => nonce === 7n)).toBe(true);
        expect(first?.map(contentsOf)).toEqual([published.slice(0, 3), published.slice(3, 5)]);
      }),
      { numRuns: 20 },
    );
  });

  it('that come again stand before what is fresh in the same delivery, each with its own count of attempts', async () => {
    const queue = await createQueue(engine, { minBackoffSeconds: 0, maxBackoffSeconds: 0 });
    await queue.publish(newMessage('a', { orderingKey: 'k' }), newMessage('', { contentType: 'x/y' }), 'c');
    const [a, b] = await queue.receive({ maxMessages: 2 });
    await queue.release(b?.receipt ?? '');
    await queue.release(a?.receipt ?? '');
    const [again] = await queue.receive({ maxMessages: 1 });
    await queue.release(again?.receipt ?? '');
    const messages = await queue.receive();
    expect(
      messages.map((m) => [m.body.toString(), m.sequence, m.attempt, m.contentType, m.orderingKey, m.attributes]),
    ).toEqual([
      ['a', 1, 2, null, 'k', null],
      ['', 2, 3, 'x/y', null, null],
      ['c', 3, 1, null, null, null],
    ]);
  });

  it('that the log has lost since are left out of a delivery that is asked for again', async () => {
    const queue = await createQueue(engine);
    await queue.publish('a', 'b', 'c');
    const waiters = [waiter({ receiveKey: 'a' })];
    await receive([queue], waiters, 'plain');
    await bench.rows('delete from willcall.message where topic_id = $1 and seq = 2', [queue.topicId]);
    const bodies = async () =>
      (await receive([queue], waiters, 'plain')).map((handed) => handed.flat().map((m) => m.body.toString()));
    expect(await bodies()).toEqual([['a', 'c']]);
    await bench.rows('delete from willcall.message where topic_id = $1', [queue.topicId]);
    expect(await bodies()).toEqual([[]]);
  });

  it('are handed out across a gap in the log to several waiters, none twice and none left behind', async () => {
    const queue = await createQueue(engine);
    await queue.publish(...'abcdefghij');
    await bench.rows('delete from willcall.message where topic_id = $1 and seq in (1, 2, 5, 9)', [queue.topicId]);
    const waiters = [2, 1, 2, 5].map((maxMessages) => waiter({ maxMessages }));
    const [handed] = await receive([queue], waiters, 'plain');
    expect(handed?.map((messages) => messages.map(({ sequence }) => sequence))).toEqual([[3, 4], [6], [7, 8], [10]]);
  });

  it('beyond a gap as long as all that is asked for are found', async () => {
    const queue = await createQueue(engine);
    await queue.publish(...'abcdef');
    await bench.rows('delete from willcall.message where topic_id = $1 and seq <= 5', [queue.topicId]);
    const [handed] = await receive([queue], [waiter({ maxMessages: 2 })], 'plain');
    expect(handed?.flat().map(({ sequence }) => sequence)).toEqual([6]);
  });
});
