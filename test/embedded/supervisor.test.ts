// The supervisor of a server that the test ends and starts by hand.

import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { type Supervisor, supervise } from '../../src/embedded/supervisor.ts';

let serving: boolean;
let restarts: number;
let failure: Error | null;
let givenUp: string[];
let warnings: number;
let supervisor: Supervisor;

beforeEach(() => {
  vi.useFakeTimers();
  serving = true;
  restarts = 0;
  failure = null;
  givenUp = [];
  warnings = 0;
  supervisor = supervise({
    isServing: async () => serving,
    restart: async () => {
      restarts += 1;
      if (failure !== null) throw failure;
      serving = true;
    },
    log: () => {},
    warn: () => {
      warnings += 1;
    },
    onGivenUp: ({ message }) => givenUp.push(message),
  });
});
afterEach(async () => {
  await supervisor.stop();
  vi.useRealTimers();
});

const end = async () => {
  serving = false;
  supervisor.check();
  await vi.advanceTimersByTimeAsync(0);
};

it('starts it again at once when told, else within some seconds, and says so', async () => {
  await end();
  expect([restarts, warnings]).toEqual([1, 1]);
  serving = false;
  await vi.advanceTimersByTimeAsync(5_000);
  expect([restarts, warnings]).toEqual([2, 2]);
});

it('leaves a server alone that runs', async () => {
  await vi.advanceTimersByTimeAsync(60_000);
  expect(restarts).toBe(0);
});

it('gives it up when it ends again and again, and tries no more', async () => {
  for (let i = 0; i < 6; i += 1) await end();
  expect([restarts, givenUp]).toEqual([5, ['it ended 6 times within 60 seconds']]);
  await end();
  await vi.advanceTimersByTimeAsync(60_000);
  expect([restarts, givenUp.length]).toEqual([5, 1]);
});

it('does not count ends of long ago', async () => {
  for (let i = 0; i < 12; i += 1) {
    await end();
    await vi.advanceTimersByTimeAsync(20_000);
  }
  expect([restarts, givenUp]).toEqual([12, []]);
});

it('gives it up with the reason when it cannot be started', async () => {
  failure = new Error('no disk');
  await end();
  expect(givenUp).toEqual(['no disk']);
});

it('does nothing once stopped', async () => {
  await supervisor.stop();
  await end();
  await vi.advanceTimersByTimeAsync(60_000);
  expect([restarts, givenUp]).toEqual([0, []]);
});
