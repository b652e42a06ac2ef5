// What auditors and operators read: the ledger and the dead letters, in pages that neither skip nor
// repeat.

import { randomBytes } from 'node:crypto';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Cursor, parseCursor, startCursor } from '../../src/domain/cursor.ts';
import { limits } from '../../src/domain/limits.ts';
import type { AcknowledgmentFilter } from '../../src/engine/audit.ts';
import { CALLER, codeOf, createQueue, freshName, newMessage, type Queue } from '../support/calls.ts';
import { openStoreBench, type StoreBench, type TestEngine } from '../support/store.ts';

let bench: StoreBench;
let engine: TestEngine;

beforeAll(async () => {
  bench = await openStoreBench();
  engine = bench.openEngine();
});
afterAll(() => bench.stop());

/** Publishes and acknowledges so many, one call each. */
async function acknowledgeEach(queue: Queue, count: number): Promise<string[]> {
  const ids = await queue.publish(...Array.from({ length: count }, (_, i) => `${i}`));
  for (const { receipt } of await queue.receive({ maxMessages: count })) await queue.acknowledge(receipt);
  return ids;
}

async function numbersOf(queue: Queue, query: AcknowledgmentFilter = {}): Promise<number[]> {
  const { acknowledgments } = await engine.listAcknowledgments({ subscription: queue.name, limit: 1000, ...query });
  return acknowledgments.map(({ ackNo }) => ackNo);
}

describe('the ledger', () => {
  it('comes in pages in the order of its numbers', async () => {
    const queue = await createQueue(engine);
    await acknowledgeEach(queue, 7);
    const pages: number[][] = [];
    const read = (after?: Cursor) => engine.listAcknowledgments({ subscription: queue.name, after, limit: 3 });
    for (let page = await read(); ; page = await read(parseCursor(page.next) ?? startCursor)) {
      pages.push(page.acknowledgments.map(({ ackNo }) => ackNo));
      if (!page.hasMore) break;
    }
    expect(pages).toEqual([[1, 2, 3], [4, 5, 6], [7]]);
    expect(await engine.listAcknowledgments({ subscription: queue.name, limit: 7 })).toMatchObject({ hasMore: false });
  });

  it('is cut by time, from inclusive and until exclusive, at any two instants', async () => {
    const queue = await createQueue(engine);
    await acknowledgeEach(queue, 40);
    // An hour apart in threes: several rows of one instant, as a batch leaves them.
    const base = Date.parse('2020-01-01T00:00:00Z');
    await bench.rows(
      `update willcall.acknowledgment set acknowledged_at = $2::timestamptz + (ack_no - 1) / 3 * interval '1 hour'
       where subscription_id = $1`,
      [queue.subscriptionId, new Date(base)],
    );
    const instantOf = (number: number) => base + Math.floor((number - 1) / 3) * 3_600_000;
    const instant = fc.integer({ min: -1, max: 15 * 60 }).map((minutes) => base + minutes * 60_000);
    const edge = fc.integer({ min: 1, max: 40 }).map(instantOf);
    const bound = fc.option(fc.oneof(instant, edge), { nil: undefined });
    await fc.assert(
      fc.asyncProperty(bound, bound, async (from, until) => {
        fc.pre(from === undefined || until === undefined || from <= until);
        const expected = Array.from({ length: 40 }, (_, i) => i + 1).filter(
          (number) => instantOf(number) >= (from ?? -Infinity) && instantOf(number) < (until ?? Infinity),
        );
        const dates = {
          from: from === undefined ? from : new Date(from),
          until: until === undefined ? until : new Date(until),
        };
        expect(await numbersOf(queue, dates)).toEqual(expected);
      }),
      { numRuns: 60 },
    );
  });

  it('is cut by time also when its oldest rows were pruned', async () => {
    const queue = await createQueue(engine);
    await acknowledgeEach(queue, 10);
    const base = Date.parse('2020-01-01T00:00:00Z');
    await bench.rows(
      `update willcall.acknowledgment set acknowledged_at = $2::timestamptz + ack_no * interval '1 hour' where subscription_id = $1`,
      [queue.subscriptionId, new Date(base)],
    );
    await bench.rows('delete from willcall.acknowledgment where subscription_id = $1 and ack_no <= 8', [
      queue.subscriptionId,
    ]);
    expect(await numbersOf(queue, { from: new Date(base) })).toEqual([9, 10]);
    expect(await numbersOf(queue, { from: new Date(base + 10 * 3_600_000) })).toEqual([10]);
    expect(await numbersOf(queue, { until: new Date(base + 10 * 3_600_000) })).toEqual([9]);
    expect(await numbersOf(queue, { from: new Date(base + 11 * 3_600_000) })).toEqual([]);
  });

  it('is searched by message, also one that was delayed', async () => {
    const queue = await createQueue(engine);
    const ids = await acknowledgeEach(queue, 3);
    const [delayed] = await queue.publish(newMessage('later', { delaySeconds: 60 }));
    await bench.letTimePass(60);
    await bench.openEngine().sweep();
    await queue.acknowledge(await queue.receiveOne());
    expect(await numbersOf(queue, { messageId: ids[1] ?? '' })).toEqual([2]);
    expect(await numbersOf(queue, { messageId: delayed ?? '' })).toEqual([4]);
    const other = await createQueue(engine);
    const [elsewhere] = await acknowledgeEach(other, 1);
    expect(await numbersOf(queue, { messageId: elsewhere ?? '' })).toEqual([]);
  });

  it('is searched by principal', async () => {
    const queue = await createQueue(engine);
    await queue.publish('a', 'b', 'c');
    const callers = ['vendor', 'other', 'vendor'];
    for (const [i, { receipt }] of (await queue.receive()).entries()) {
      const receipts = [{ receipt, reference: null }];
      await engine.acknowledge({ subscription: queue.name, receipts, atomic: false, caller: callers[i] ?? '' });
    }
    expect(await numbersOf(queue, { acknowledgedBy: 'vendor' })).toEqual([1, 3]);
    expect(await numbersOf(queue, { acknowledgedBy: 'nobody' })).toEqual([]);
  });

  it('of a subscription that never was is refused', async () => {
    const subscription = freshName();
    expect(await codeOf(engine.listAcknowledgments({ subscription, limit: 1 }))).toBe('subscription_not_found');
    expect(await codeOf(engine.listDeadLetters({ subscription, limit: 1 }))).toBe('subscription_not_found');
  });
});

describe('the dead letters', () => {
  async function rejectEach(queue: Queue, bodies: string[]): Promise<void> {
    await queue.publish(...bodies);
    for (const { receipt } of await queue.receive({ maxMessages: bodies.length })) await queue.reject(receipt);
  }

  it('come in pages in the order of their numbers, the open ones alone', async () => {
    const queue = await createQueue(engine);
    await rejectEach(queue, ['a', 'b', 'c', 'd', 'e', 'f']);
    await bench.rows(
      `update willcall.dead_letter set closed_at = now(), closed_by = 'op', closed_as = 'discarded'
       where subscription_id = $1 and seq = 2`,
      [queue.subscriptionId],
    );
    const pages: number[][] = [];
    const read = (after?: Cursor) => engine.listDeadLetters({ subscription: queue.name, after, limit: 2 });
    for (let page = await read(); ; page = await read(parseCursor(page.next) ?? startCursor)) {
      pages.push(page.deadLetters.map(({ sequence }) => sequence));
      if (!page.hasMore) break;
    }
    expect(pages).toEqual([[1, 3], [4, 5], [6]]);
  });

  it('are searched by reason', async () => {
    const queue = await createQueue(engine, { maxAttempts: 1 });
    await queue.publish('a', 'b');
    const [a, b] = await queue.receive();
    await queue.reject(a?.receipt ?? '');
    await queue.release(b?.receipt ?? '', { error: { code: 'E', message: null } });
    const sequences = async (reason: 'rejected' | 'max_attempts' | 'expired') =>
      (await engine.listDeadLetters({ subscription: queue.name, limit: 10, reason })).deadLetters.map(
        (d) => d.sequence,
      );
    expect(await sequences('rejected')).toEqual([1]);
    expect(await sequences('max_attempts')).toEqual([2]);
    expect(await sequences('expired')).toEqual([]);
  });

  it('end a page before its copies together exceed its bound on bytes', async () => {
    const queue = await createQueue(engine);
    await engine.updateTopic({
      name: queue.name,
      settings: { maxMessageBytes: limits.messageBytesMax },
      caller: CALLER,
    });
    const sizes = [6, 6, 6, 10, 10, 1].map((mib) => mib * 1024 * 1024);
    for (const size of sizes) {
      await queue.publish(newMessage(randomBytes(size)));
      await queue.reject(await queue.receiveOne({ maxBytes: limits.receiveBytesMax }));
    }
    const pages: number[][] = [];
    const read = (after?: Cursor) => engine.listDeadLetters({ subscription: queue.name, after, limit: 10 });
    for (let page = await read(); ; page = await read(parseCursor(page.next) ?? startCursor)) {
      pages.push(page.deadLetters.map(({ body }) => body?.length ?? 0));
      if (!page.hasMore) break;
    }
    expect(pages.flat()).toEqual(sizes);
    expect(pages.map((page) => page.length)).toEqual([2, 2, 2]);
    for (const page of pages)
      expect(page.reduce((sum, size) => sum + size, 0)).toBeLessThanOrEqual(limits.pageBytesMax);
  });
});
