// The verb release: when a message comes back, and what is recorded of it.

import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { CALLER, createQueue, outcomesOf, type Queue, queueOf, receiveRequest } from '../support/calls.ts';
import { openStoreBench, type StoreBench, type TestEngine } from '../support/store.ts';

let bench: StoreBench;
let engine: TestEngine;

beforeAll(async () => {
  bench = await openStoreBench();
  engine = bench.openEngine();
});
afterAll(() => bench.stop());

const error = { code: 'E42', message: 'no stock' };

interface Deferred {
  seq: number;
  attempt: number;
  failures: number;
  /** From the end of the attempt to the next one. */
  seconds: number;
}

function deferredOf(queue: Queue): Promise<Deferred[]> {
  return bench.rows<Deferred & Record<string, unknown>>(
    `select d.seq, d.attempt, d.failures, extract(epoch from d.available_at - f.ended_at)::float8 as seconds
     from willcall.deferred d join willcall.failure f using (topic_id, subscription_id, seq, attempt)
     where d.subscription_id = $1 order by d.seq`,
    [queue.subscriptionId],
  );
}

function failuresOf(queue: Queue) {
  return bench.rows(
    `select seq, attempt, ended, ended_by, error_code, error_message from willcall.failure
     where subscription_id = $1 order by seq, attempt`,
    [queue.subscriptionId],
  );
}

describe('release', () => {
  it('without an error hands the message on at once, and is not a failed attempt', async () => {
    const queue = await createQueue(engine, { maxAttempts: 1, minBackoffSeconds: 60 });
    await queue.publish('a');
    const { results } = await queue.release(await queue.receiveOne());
    expect(results[0]).toMatchObject({ outcome: 'released', visibleUntil: null });
    expect(await deferredOf(queue)).toEqual([{ seq: 1, attempt: 1, failures: 0, seconds: 0 }]);
    expect((await queue.receiveOne()).attempt).toBe(2);
    expect(await failuresOf(queue)).toEqual([
      { seq: 1, attempt: 1, ended: 'released', ended_by: 'test', error_code: null, error_message: null },
    ]);
  });

  it('with an error is a failed attempt, recorded with the error and followed by the back-off', async () => {
    const queue = await createQueue(engine, { minBackoffSeconds: 60 });
    await queue.publish('a');
    await queue.release(await queue.receiveOne(), { error });
    expect(await queue.receive()).toEqual([]);
    expect(await deferredOf(queue)).toMatchObject([{ attempt: 1, failures: 1 }]);
    expect(await failuresOf(queue)).toMatchObject([
      { ended: 'released', error_code: 'E42', error_message: 'no stock' },
    ]);
  });

  it.each([{ error: undefined }, { error }])('with a delay waits exactly that long ($error)', async ({ error }) => {
    const queue = await createQueue(engine, { minBackoffSeconds: 5, maxBackoffSeconds: 6 });
    await queue.publish('a');
    await queue.release(await queue.receiveOne(), { delaySeconds: 90, ...(error && { error }) });
    expect(await deferredOf(queue)).toMatchObject([{ seconds: 90, failures: error ? 1 : 0 }]);
    await bench.letTimePass(89);
    expect(await queue.receive()).toEqual([]);
    await bench.letTimePass(2);
    // An instance that saw the time pass does not look for what was due before; one that did not
    // see it does.
    expect((await queueOf(bench.openEngine(), queue.name, queue).receiveOne()).attempt).toBe(2);
  });

  it('of several receipts does to each what was said of it', async () => {
    const queue = await createQueue(engine);
    await queue.publish('a', 'b', 'c');
    const [a, b, c] = await queue.receive();
    const answer = await engine.release({
      subscription: queue.name,
      receipts: [
        { receipt: c?.receipt ?? '', delaySeconds: 30, error: null },
        { receipt: 'nonsense', delaySeconds: null, error: null },
        { receipt: a?.receipt ?? '', delaySeconds: 10, error },
        { receipt: c?.receipt ?? '', delaySeconds: 99, error: null },
      ],
      caller: 'test',
    });
    expect(outcomesOf(answer)).toEqual(['released', 'invalid_receipt', 'released', 'already_released']);
    expect(answer.failed).toBe(1);
    expect(await deferredOf(queue)).toMatchObject([
      { seq: 1, seconds: 10, failures: 1 },
      { seq: 3, seconds: 30, failures: 0 },
    ]);
    expect(outcomesOf(await queue.acknowledge(b?.receipt ?? ''))).toEqual(['acknowledged']);
  });

  it('counts deliveries and failures apart', async () => {
    const queue = await createQueue(engine, { minBackoffSeconds: 0 });
    await queue.publish('a');
    const errors = [error, undefined, error, undefined];
    for (const each of errors) await queue.release(await queue.receiveOne(), each && { error: each });
    expect(await deferredOf(queue)).toMatchObject([{ attempt: 4, failures: 2 }]);
    const hidden = await queue.receiveOne();
    expect(hidden.attempt).toBe(5);
  });
});

describe('the back-off', () => {
  /** Ends an attempt of one message after it failed so often before. */
  async function backOffAfter(queue: Queue, failures: number): Promise<number> {
    await queue.publish('a');
    const message = await queue.receiveOne();
    await bench.rows('update willcall.lease set failures = $2, attempt = $2 + 1 where subscription_id = $1', [
      queue.subscriptionId,
      failures - 1,
    ]);
    await queue.release(message, { error });
    const [deferred] = (await deferredOf(queue)).slice(-1);
    return deferred?.seconds ?? -1;
  }

  it('is at least the lower bound, doubles, and never exceeds the upper one', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.integer({ min: 0, max: 3600 }),
        fc.integer({ min: 0, max: 86_400 }),
        fc.integer({ min: 1, max: 900 }),
        async (min, range, failures) => {
          const bounds = { minBackoffSeconds: min, maxBackoffSeconds: Math.min(min + range, 86_400) };
          const queue = await createQueue(engine, { ...bounds, maxAttempts: 1000, maxDeliveries: 1000 });
          const seconds = await backOffAfter(queue, failures);
          const base = min * 2 ** (failures - 1);
          expect(seconds).toBeGreaterThanOrEqual(Math.min(base, bounds.maxBackoffSeconds) - 1e-6);
          expect(seconds).toBeLessThanOrEqual(Math.min(base * 1.5, bounds.maxBackoffSeconds) + 1e-6);
        },
      ),
      { numRuns: 40 },
    );
  });

  it('differs from message to message, so that what failed together does not return together', async () => {
    const queue = await createQueue(engine, { minBackoffSeconds: 100, maxBackoffSeconds: 86_400 });
    await queue.publish(...Array.from({ length: 20 }, (_, i) => `${i}`));
    const messages = await queue.receive({ maxMessages: 20 });
    await Promise.all(messages.map((message) => queue.release(message, { error })));
    expect(new Set((await deferredOf(queue)).map(({ seconds }) => seconds)).size).toBeGreaterThan(10);
  });
});

describe('an answer that did not reach its client', () => {
  const receive = (queue: Queue, idempotencyKey?: string) =>
    engine.receive({ ...receiveRequest(queue.name), idempotencyKey });

  it('has its messages released at once, and has counted as no failed attempt', async () => {
    const queue = await createQueue(engine, { maxAttempts: 1 });
    await queue.publish('a', 'b');
    const { messages, lost } = await receive(queue);
    lost();
    await engine.drained();
    expect(await failuresOf(queue)).toMatchObject([
      { seq: 1, attempt: 1, ended: 'released', ended_by: CALLER, error_code: null },
      { seq: 2, attempt: 1, ended: 'released', ended_by: CALLER, error_code: null },
    ]);
    expect(await queue.receive()).toMatchObject([{ attempt: 2 }, { attempt: 2 }]);
    const receipts = messages.map(({ receipt }) => receipt);
    expect(outcomesOf(await queue.acknowledge(...receipts))).toEqual(['already_released', 'already_released']);
  });

  it('wakes whoever waits for the messages', async () => {
    const queue = await createQueue(engine);
    await queue.publish('a');
    const { lost } = await receive(queue);
    const waiting = queue.receive({ waitSeconds: 20 });
    lost();
    expect(await waiting).toMatchObject([{ sequence: 1, attempt: 2 }]);
  });

  it('keeps what was settled meanwhile, and may be reported twice', async () => {
    const queue = await createQueue(engine);
    await queue.publish('a', 'b');
    const { messages, lost } = await receive(queue);
    await queue.acknowledge(messages[0]?.receipt ?? '');
    lost();
    lost();
    await engine.drained();
    expect(await queue.receive()).toMatchObject([{ sequence: 2, attempt: 2 }]);
  });

  it('keeps its receipts good when its client can ask for it again', async () => {
    const queue = await createQueue(engine);
    await queue.publish('a');
    const { lost } = await receive(queue, 'key');
    lost();
    await engine.drained();
    expect(await queue.receive()).toEqual([]);
    const again = await receive(queue, 'key');
    expect(outcomesOf(await queue.acknowledge(again.messages[0]?.receipt ?? ''))).toEqual(['acknowledged']);
  });

  it('and that was empty changes nothing', async () => {
    const queue = await createQueue(engine);
    const { lost } = await receive(queue);
    lost();
    await engine.drained();
    expect(await failuresOf(queue)).toEqual([]);
  });
});
