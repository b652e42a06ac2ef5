// One log line for each dead letter, whatever set it aside.

import { afterAll, beforeAll, beforeEach, expect, it } from 'vitest';
import { createEngine } from '../../src/engine/index.ts';
import { createQueue } from '../support/calls.ts';
import { openStoreBench, type StoreBench } from '../support/store.ts';
import { type TendedEngine, withUpkeep } from '../support/upkeep.ts';

let bench: StoreBench;
let engine: TendedEngine;
let lines: object[];

beforeAll(async () => {
  bench = await openStoreBench();
  const ignore = () => {};
  const info = (fields: object, message: string) => {
    if (message === 'a message became a dead letter') lines.push(fields);
  };
  engine = withUpkeep(
    createEngine({ store: bench.store, logger: { debug: ignore, info, warn: ignore, error: ignore } }),
  );
});
afterAll(() => bench.stop());
beforeEach(() => {
  lines = [];
});

/** Two messages in the hands of a consumer, each on its last attempt. */
async function receiveTwo() {
  const queue = await createQueue(engine, { maxAttempts: 1 });
  await queue.publish('a', 'b');
  const [first, second] = await queue.receive();
  if (first === undefined || second === undefined) throw new Error('there are two messages');
  const line = (deadLetterNo: number, sequence: number, reason: string) => {
    const names = { topic: queue.name, subscription: queue.name };
    return { ...names, deadLetterNo, sequence, reason, messages: 1 };
  };
  return { queue, first, second, line };
}

it('names the message that was rejected, its subscription, its topic and the reason', async () => {
  const { queue, first, second, line } = await receiveTwo();
  await queue.reject(second);
  await queue.reject(first);
  await engine.drained();
  expect(lines).toEqual([line(1, 2, 'rejected'), line(2, 1, 'rejected')]);
});

it('names the message whose last attempt was released with an error, and none that comes back', async () => {
  const { queue, first, second, line } = await receiveTwo();
  await queue.release(second);
  await queue.release(first, { error: { code: 'E', message: null } });
  await engine.drained();
  expect(lines).toEqual([line(1, 1, 'max_attempts')]);
});

it('names each message whose last attempt expired, once, however many sweep', async () => {
  const { line } = await receiveTwo();
  await bench.letTimePass(60);
  await Promise.all([engine.sweep(), engine.sweep()]);
  await engine.sweep();
  await engine.drained();
  expect(lines).toEqual([line(1, 1, 'max_attempts'), line(2, 2, 'max_attempts')]);
});

it('names the range that outlived its retention uncollected', async () => {
  const queue = await createQueue(engine);
  await queue.publish('a', 'b', 'c');
  await bench.letTimePass(100 * 86_400);
  await engine.retain();
  await engine.drained();
  const names = { topic: queue.name, subscription: queue.name };
  expect(lines).toContainEqual({ ...names, deadLetterNo: 1, sequence: 1, reason: 'expired', messages: 3 });
});
