// A dedupe key is known for the whole of its window, and not after it, whenever its tables take
// turns.

import fc from 'fast-check';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { CALLER, createQueue, newMessage, type Queue } from '../support/calls.ts';
import { openStoreBench, type StoreBench, type TestEngine } from '../support/store.ts';

const WINDOW = 10_000;

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
  queue = await createQueue(engine);
  await engine.updateTopic({ name: queue.name, settings: { dedupeWindowSeconds: WINDOW }, caller: CALLER });
});

async function isKnown(dedupeKey: string): Promise<boolean> {
  const messages = [newMessage('a', { dedupeKey })];
  const [published] = await engine.publish({ topic: queue.name, messages, caller: CALLER });
  return published?.duplicate ?? false;
}

const rotate = () => bench.store.retention.rotateDedupeKeys();

describe('a dedupe key', () => {
  it('is known until its window is over, and again from a second use on', async () => {
    expect(await isKnown('k')).toBe(false);
    await bench.letTimePass(WINDOW * 0.75);
    expect(await isKnown('k')).toBe(true);
    await bench.letTimePass(WINDOW * 0.3);
    expect(await isKnown('k')).toBe(false);
    await bench.letTimePass(WINDOW * 0.75);
    expect(await isKnown('k')).toBe(true);
  });

  it('is known for as long, whenever the tables take turns', async () => {
    const step = fc.record({ pass: fc.integer({ min: 0, max: WINDOW / 2 }), key: fc.integer({ min: 0, max: 2 }) });
    await fc.assert(
      fc.asyncProperty(fc.array(step, { minLength: 4, maxLength: 12 }), async (steps) => {
        const ages = new Map<number, number>();
        const prefix = `${Math.random()}`;
        for (const { pass, key } of steps) {
          await bench.letTimePass(pass);
          for (const [each, age] of ages) ages.set(each, age + pass);
          await rotate();
          await rotate();
          const age = ages.get(key) ?? Number.POSITIVE_INFINITY;
          // The clock runs on meanwhile: what is about as old as the window is either.
          if (Math.abs(age - WINDOW) < 60) continue;
          expect([key, age, await isKnown(`${prefix} ${key}`)]).toEqual([key, age, age < WINDOW]);
          if (age >= WINDOW) ages.set(key, 0);
        }
      }),
      { numRuns: 20 },
    );
  });
});
