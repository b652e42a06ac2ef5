// acknowledge: what is signed for is in the ledger, once, with the record it needs to stand on its
// own.

import { createHash } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Acknowledgment } from '../../src/domain/ledger.ts';
import { CALLER, createQueue, outcomesOf, type Queue } from '../support/calls.ts';
import { openStoreBench, type StoreBench, type TestEngine } from '../support/store.ts';

let bench: StoreBench;
let engine: TestEngine;

beforeAll(async () => {
  bench = await openStoreBench();
  engine = bench.openEngine();
});
afterAll(() => bench.stop());

async function ledgerOf(queue: Queue): Promise<readonly Acknowledgment[]> {
  return (await engine.listAcknowledgments({ subscription: queue.name, limit: 1000 })).acknowledgments;
}

async function receiptsOf(queue: Queue, count: number): Promise<string[]> {
  await queue.publish(...Array.from({ length: count }, (_, i) => `${i}`));
  return (await queue.receive({ maxMessages: count })).map(({ receipt }) => receipt);
}

/** Moves what is in flight to the deferred ones, due in an hour. */
async function expire(queue: Queue): Promise<void> {
  await bench.rows('update willcall.lease set expires_at = clock_timestamp() where subscription_id = $1', [
    queue.subscriptionId,
  ]);
  await bench.openEngine().sweep();
  await bench.rows(`update willcall.deferred set available_at = now() + interval '1 hour' where subscription_id = $1`, [
    queue.subscriptionId,
  ]);
}

describe('the ledger', () => {
  it('says what was acknowledged, by whom, when, on which attempt, and with which reference', async () => {
    const queue = await createQueue(engine);
    const [id] = await queue.publish('<a/>');
    await queue.release(await queue.receiveOne());
    const { receipt, publishedAt } = await queue.receiveOne();
    const { results } = await engine.acknowledge({
      subscription: queue.name,
      receipts: [{ receipt, reference: 'TX-1' }],
      atomic: false,
      caller: 'vendor',
      keyId: 'wk_019cfa8e43d6a1b2c3d4',
    });
    const [row] = await ledgerOf(queue);
    expect(row).toEqual({
      ...{ ackNo: 1, messageId: id, sequence: 1, generation: 1, revision: 0, bodyBytes: 4, attempt: 2, late: false },
      bodySha256: createHash('sha256').update('<a/>').digest(),
      publishedAt,
      deliveryNo: 3,
      deliveredAt: await bench.value(
        'select at from willcall.delivery where subscription_id = $1 and delivery_no = 3',
        [queue.subscriptionId],
      ),
      acknowledgedAt: results[0]?.acknowledgedAt,
      acknowledgedBy: 'vendor',
      keyId: 'wk_019cfa8e43d6a1b2c3d4',
      publishedBy: CALLER,
      reference: 'TX-1',
      referenceSalt: expect.any(Buffer),
      referenceDigest: null,
      topic: queue.name,
      topicPublicId: expect.stringMatching(/^top_[0-9a-f]{32}$/),
      subscription: queue.name,
      subscriptionPublicId: expect.stringMatching(/^sub_[0-9a-f]{32}$/),
    });
    expect(results[0]).toMatchObject({ messageId: id, outcome: 'acknowledged', ackNo: 1 });
  });

  it('is numbered densely over calls, batches and late acknowledgments', async () => {
    const queue = await createQueue(engine);
    const receipts = await receiptsOf(queue, 6);
    await queue.acknowledge(...receipts.slice(0, 2));
    await Promise.all(receipts.slice(2, 4).map((receipt) => queue.acknowledge(receipt)));
    await expire(queue);
    await queue.acknowledge(...receipts.slice(4));
    const rows = await ledgerOf(queue);
    expect(rows.map(({ ackNo, late }) => [ackNo, late])).toEqual([
      ...[1, 2, 3, 4].map((ackNo) => [ackNo, false]),
      ...[5, 6].map((ackNo) => [ackNo, true]),
    ]);
    expect(rows.map(({ sequence }) => sequence).sort()).toEqual([1, 2, 3, 4, 5, 6]);
  });

  it('answers with the number that each receipt got, in the order of the request', async () => {
    const queue = await createQueue(engine);
    const [a, b, c] = (await receiptsOf(queue, 3)) as [string, string, string];
    const { results } = await queue.acknowledge(c, a, 'nonsense', b);
    expect(results.map(({ receipt }) => receipt)).toEqual([c, a, 'nonsense', b]);
    const rows = await ledgerOf(queue);
    const byNumber = new Map(rows.map((row) => [row.ackNo, row.sequence]));
    expect(results.map(({ ackNo }) => byNumber.get(ackNo ?? 0))).toEqual([3, 1, undefined, 2]);
    const ids = new Map(rows.map((row) => [row.sequence, row.messageId]));
    expect(results.map(({ messageId }) => messageId)).toEqual([ids.get(3), ids.get(1), null, ids.get(2)]);
  });
});

describe('a receipt that comes twice in one call', () => {
  it('is acknowledged once; the second is told so, with the same record', async () => {
    const queue = await createQueue(engine);
    const [a, b] = (await receiptsOf(queue, 2)) as [string, string];
    const answer = await queue.acknowledge(a, b, a, a);
    expect(outcomesOf(answer)).toEqual([
      'acknowledged',
      'acknowledged',
      'already_acknowledged',
      'already_acknowledged',
    ]);
    expect(answer.failed).toBe(0);
    expect(answer.results[2]).toEqual({ ...answer.results[0], outcome: 'already_acknowledged' });
    expect(await ledgerOf(queue)).toHaveLength(2);
  });

  it('keeps the reference that came first', async () => {
    const queue = await createQueue(engine);
    const receipts = await receiptsOf(queue, 200);
    const firsts = receipts.map((receipt, i) => ({ receipt, reference: `first ${i + 1}` }));
    const seconds = receipts.map((receipt, i) => ({ receipt, reference: `second ${i + 1}` }));
    await queue.acknowledge(...firsts, ...seconds.reverse());
    const rows = await ledgerOf(queue);
    expect(rows.map(({ reference }) => reference)).toEqual(rows.map(({ sequence }) => `first ${sequence}`));
  });

  it('is acknowledged once late, too', async () => {
    const queue = await createQueue(engine);
    const [a] = (await receiptsOf(queue, 1)) as [string];
    await expire(queue);
    expect(outcomesOf(await queue.acknowledge(a, a))).toEqual(['acknowledged_late', 'already_acknowledged']);
    expect(await ledgerOf(queue)).toHaveLength(1);
  });

  it('in two calls of one moment is acknowledged by one of them', async () => {
    const queue = await createQueue(engine);
    const [a] = (await receiptsOf(queue, 1)) as [string];
    const answers = await Promise.all(Array.from({ length: 5 }, () => queue.acknowledge(a)));
    expect(answers.flatMap(outcomesOf).sort()).toEqual(['acknowledged', ...Array(4).fill('already_acknowledged')]);
    expect(new Set(answers.map(({ results }) => results[0]?.ackNo))).toEqual(new Set([1]));
  });
});

describe('an atomic call', () => {
  it('settles everything when every receipt is good, late and repeated ones too', async () => {
    const queue = await createQueue(engine);
    const [a, b, c] = (await receiptsOf(queue, 3)) as [string, string, string];
    await queue.acknowledge(a);
    await queue.extend([c], 600);
    await bench.rows(
      `update willcall.lease set expires_at = clock_timestamp()
       where subscription_id = $1 and expires_at < now() + interval '1 minute'`,
      [queue.subscriptionId],
    );
    await bench.openEngine().sweep();
    const answer = await queue.acknowledgeAtomically(a, b, c, c);
    expect(outcomesOf(answer)).toEqual([
      'already_acknowledged',
      'acknowledged_late',
      'acknowledged',
      'already_acknowledged',
    ]);
    expect(answer).toMatchObject({ failed: 0, refused: false });
    expect(await ledgerOf(queue)).toHaveLength(3);
  });

  it('does nothing when one receipt is not good, and says which', async () => {
    const queue = await createQueue(engine);
    const [a, b, c, d] = (await receiptsOf(queue, 4)) as [string, string, string, string];
    await queue.acknowledge(d);
    await queue.release(b);
    const before = await bench.rows('select * from willcall.lease where subscription_id = $1', [queue.subscriptionId]);
    const answer = await queue.acknowledgeAtomically(a, b, c, d);
    expect(outcomesOf(answer)).toEqual(['not_done', 'already_released', 'not_done', 'already_acknowledged']);
    expect(answer).toMatchObject({ failed: 3, refused: true });
    expect(await ledgerOf(queue)).toHaveLength(1);
    expect(await bench.rows('select * from willcall.lease where subscription_id = $1', [queue.subscriptionId])).toEqual(
      before,
    );
    expect(outcomesOf(await queue.acknowledgeAtomically(a, c))).toEqual(['acknowledged', 'acknowledged']);
  });

  it('does nothing late either', async () => {
    const queue = await createQueue(engine, { maxAttempts: 1 });
    const [a] = (await receiptsOf(queue, 1)) as [string];
    await expire(queue);
    expect(outcomesOf(await queue.acknowledgeAtomically(a, 'nonsense'))).toEqual(['not_done', 'invalid_receipt']);
    expect((await engine.getSubscription(queue.name)).stats.deadLetters).toBe(1);
    expect(await ledgerOf(queue)).toEqual([]);
  });

  it('is refused also when what is good in it was done before', async () => {
    const queue = await createQueue(engine);
    const [a] = (await receiptsOf(queue, 1)) as [string];
    await queue.acknowledge(a);
    const answer = await queue.acknowledgeAtomically(a, 'nonsense');
    expect(outcomesOf(answer)).toEqual(['already_acknowledged', 'invalid_receipt']);
    expect(answer).toMatchObject({ failed: 1, refused: true });
  });

  it('holds over several deliveries', async () => {
    const queue = await createQueue(engine);
    await queue.publish('a', 'b');
    const first = await queue.receive({ maxMessages: 1 });
    const second = await queue.receive({ maxMessages: 1 });
    const receipts = [...second, ...first].map(({ receipt }) => receipt);
    const refused = await queue.acknowledgeAtomically(...receipts, 'nonsense');
    expect(outcomesOf(refused)).toEqual(['not_done', 'not_done', 'invalid_receipt']);
    const done = await queue.acknowledgeAtomically(...receipts);
    expect(done.results.map(({ ackNo }) => ackNo)).toEqual([1, 2]);
  });
});

describe('a late acknowledgment', () => {
  it('of a deferred message keeps it from being handed out again', async () => {
    const queue = await createQueue(engine);
    const [a] = (await receiptsOf(queue, 1)) as [string];
    await expire(queue);
    expect(outcomesOf(await queue.acknowledge({ receipt: a, reference: 'r' }))).toEqual(['acknowledged_late']);
    await bench.letTimePass(7200);
    expect(await queue.receive()).toEqual([]);
    expect(await ledgerOf(queue)).toMatchObject([{ late: true, reference: 'r', attempt: 1, acknowledgedBy: CALLER }]);
  });

  it('of a dead letter closes that, and says who and how', async () => {
    const queue = await createQueue(engine, { maxAttempts: 1 });
    const [a] = (await receiptsOf(queue, 1)) as [string];
    await expire(queue);
    expect((await engine.listDeadLetters({ subscription: queue.name, limit: 10 })).deadLetters).toHaveLength(1);
    expect(outcomesOf(await queue.acknowledge(a))).toEqual(['acknowledged_late']);
    expect((await engine.listDeadLetters({ subscription: queue.name, limit: 10 })).deadLetters).toEqual([]);
    const closing = `select closed_by, closed_as, closed_at = a.acknowledged_at as same_moment
      from willcall.dead_letter d join willcall.acknowledgment a using (topic_id, subscription_id, seq)
      where d.subscription_id = $1`;
    expect(await bench.rows(closing, [queue.subscriptionId])).toEqual([
      { closed_by: CALLER, closed_as: 'acknowledged', same_moment: true },
    ]);
  });

  it('of a dead letter stands on the copy when the log has been pruned', async () => {
    const queue = await createQueue(engine, { maxAttempts: 1 });
    const [a] = (await receiptsOf(queue, 1)) as [string];
    await expire(queue);
    await bench.rows('delete from willcall.message where topic_id = $1', [queue.topicId]);
    const { results } = await queue.acknowledge(a);
    const [row] = await ledgerOf(queue);
    expect(results[0]).toMatchObject({ outcome: 'acknowledged_late', messageId: row?.messageId });
    expect(row).toMatchObject({ bodyBytes: 1, bodySha256: createHash('sha256').update('0').digest() });
  });

  it('yields to a receive that is just taking the message', async () => {
    const queue = await createQueue(engine);
    const [a] = (await receiptsOf(queue, 1)) as [string];
    await expire(queue);
    await bench.rows('update willcall.deferred set available_at = now() where subscription_id = $1', [
      queue.subscriptionId,
    ]);
    const receiver = await bench.openSession();
    await receiver.rows('begin');
    await receiver.rows(
      `select * from willcall.receive($1, $2, true, '-infinity', 0, 1, 1, '{1}', '{1000}', '{30}', '{7}', '{other}', 1000, null)`,
      [queue.topicId, queue.subscriptionId],
    );
    const answer = queue.acknowledge(a);
    const waiting = 'select count(*) from pg_locks where not granted';
    await expect.poll(() => bench.value(waiting)).toBe(1);
    await receiver.rows('commit');
    expect(outcomesOf(await answer)).toEqual(['superseded']);
    expect(await ledgerOf(queue)).toEqual([]);
  });
});
