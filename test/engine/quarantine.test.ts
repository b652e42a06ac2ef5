// Quarantine: after its last attempt a message is a dead letter, with a full copy and everything
// that happened to it.

import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { DeadLetter } from '../../src/domain/ledger.ts';
import { createQueue, newMessage, type Queue } from '../support/calls.ts';
import { openStoreBench, type StoreBench, type TestEngine } from '../support/store.ts';

let bench: StoreBench;
let engine: TestEngine;

beforeAll(async () => {
  bench = await openStoreBench();
  engine = bench.openEngine();
});
afterAll(() => bench.stop());

async function deadLettersOf(queue: Queue): Promise<readonly DeadLetter[]> {
  return (await engine.listDeadLetters({ subscription: queue.name, limit: 100 })).deadLetters;
}

async function dueNow(queue: Queue): Promise<void> {
  await bench.rows('update willcall.deferred set available_at = clock_timestamp() where subscription_id = $1', [
    queue.subscriptionId,
  ]);
}

/** Receives, and lets the lease end. */
async function expireOnce(queue: Queue): Promise<void> {
  await dueNow(queue);
  await queue.receiveOne();
  await bench.rows('update willcall.lease set expires_at = clock_timestamp() where subscription_id = $1', [
    queue.subscriptionId,
  ]);
  await engine.sweep();
}

async function failOnce(queue: Queue, code: string): Promise<void> {
  await dueNow(queue);
  await queue.release(await queue.receiveOne(), { error: { code, message: `about ${code}` } });
}

describe('a message', () => {
  it('is set aside at its last failed attempt, not before, with a full copy and its history', async () => {
    const queue = await createQueue(engine, { maxAttempts: 3 });
    const message = newMessage(Buffer.from([0, 255, 128]), {
      ...{ contentType: 'application/xml', attributes: { a_b: '1', aB: '2' }, orderingKey: 'k' },
    });
    const [id] = await queue.publish(message);
    await expireOnce(queue);
    await dueNow(queue);
    await queue.release(await queue.receiveOne());
    await failOnce(queue, 'E1');
    expect(await deadLettersOf(queue)).toEqual([]);
    await expireOnce(queue);
    const [dead, ...others] = await deadLettersOf(queue);
    expect(others).toEqual([]);
    expect(dead).toMatchObject({
      ...{ reason: 'max_attempts', sequence: 1, sequenceLast: 1, messageCount: 1, messageId: id, attempts: 4 },
      ...{ body: message.body, contentType: 'application/xml', attributes: { a_b: '1', aB: '2' }, orderingKey: 'k' },
    });
    expect(
      dead?.history.map(({ attempt, ended, endedBy, errorCode, errorMessage }) => [
        ...[attempt, ended, endedBy, errorCode, errorMessage],
      ]),
    ).toEqual([
      [1, 'expired', null, null, null],
      [2, 'released', 'test', null, null],
      [3, 'released', 'test', 'E1', 'about E1'],
      [4, 'expired', null, null, null],
    ]);
    const times = dead?.history.flatMap(({ deliveredAt, endedAt }) => [deliveredAt.getTime(), endedAt.getTime()]) ?? [];
    expect(times).toEqual([...times].sort((a, b) => a - b));
    expect(dead?.deadAt.getTime()).toBe(times.at(-1));
    await dueNow(queue);
    expect(await queue.receive()).toEqual([]);
    expect((await engine.getSubscription(queue.name)).stats).toMatchObject({
      inFlight: 0,
      deferred: 0,
      deadLetters: 1,
    });
  });

  it('is set aside by a release with an error at its last attempt', async () => {
    const queue = await createQueue(engine, { maxAttempts: 2 });
    await queue.publish('a');
    await failOnce(queue, 'E1');
    await failOnce(queue, 'E2');
    expect(await deadLettersOf(queue)).toMatchObject([
      { reason: 'max_attempts', history: [{ errorCode: 'E1' }, { errorCode: 'E2' }] },
    ]);
  });

  it('is set aside at its last delivery though none has failed', async () => {
    const queue = await createQueue(engine, { maxAttempts: 2, maxDeliveries: 3 });
    await queue.publish('a');
    for (let delivery = 1; delivery <= 3; delivery += 1) {
      expect(await deadLettersOf(queue)).toEqual([]);
      await queue.release(await queue.receiveOne());
    }
    expect(await deadLettersOf(queue)).toMatchObject([{ reason: 'max_deliveries', attempts: 3 }]);
    expect(await queue.receive()).toEqual([]);
  });

  it('is judged by the bounds as they are when the attempt ends', async () => {
    const queue = await createQueue(engine, { maxAttempts: 10 });
    await queue.publish('a');
    const message = await queue.receiveOne();
    await engine.updateSubscription({ name: queue.name, settings: { maxAttempts: 1 }, caller: 'test' });
    await queue.release(message, { error: { code: 'E', message: null } });
    expect(await deadLettersOf(queue)).toMatchObject([{ reason: 'max_attempts' }]);
  });

  it('that was acknowledged is never set aside', async () => {
    const queue = await createQueue(engine, { maxAttempts: 1 });
    await queue.publish('a');
    await queue.acknowledge(await queue.receiveOne());
    await bench.letTimePass(3600);
    await engine.sweep();
    expect(await deadLettersOf(queue)).toEqual([]);
  });

  it('says in its failure record which dead letter it became', async () => {
    const queue = await createQueue(engine, { maxAttempts: 2 });
    await queue.publish('a');
    await failOnce(queue, 'E1');
    await failOnce(queue, 'E2');
    const [dead] = await deadLettersOf(queue);
    const numbers = 'select attempt, dead_letter_no from willcall.failure where subscription_id = $1 order by attempt';
    expect(await bench.rows(numbers, [queue.subscriptionId])).toEqual([
      { attempt: 1, dead_letter_no: null },
      { attempt: 2, dead_letter_no: dead?.deadLetterNo },
    ]);
  });
});

describe('a batch', () => {
  it('sets aside only those of its messages that are at their last', async () => {
    const queue = await createQueue(engine, { maxAttempts: 2 });
    await queue.publish('a');
    await expireOnce(queue);
    await queue.publish('b', 'c');
    await dueNow(queue);
    expect(await queue.receive()).toHaveLength(3);
    await bench.rows('update willcall.lease set expires_at = clock_timestamp() where subscription_id = $1', [
      queue.subscriptionId,
    ]);
    expect(await engine.sweep()).toMatchObject({ ended: 3, dead: 1 });
    expect(await deadLettersOf(queue)).toMatchObject([{ sequence: 1 }]);
    expect((await engine.getSubscription(queue.name)).stats).toMatchObject({ deferred: 2, deadLetters: 1 });
  });
});
