// Many timers on one of Node's, on a clock that the test sets.

import fc from 'fast-check';
import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { TimerWheel } from '../../src/engine/timer-wheel.ts';

const SLOT_MS = 5;

beforeEach(() => {
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'performance'] });
});
afterEach(() => vi.useRealTimers());

it('runs every callback at its time or up to one slot later, whatever their order', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(fc.integer({ min: 0, max: 500 }), { minLength: 1, maxLength: 30 }), async (delays) => {
      const wheel = new TimerWheel(SLOT_MS);
      const start = performance.now();
      const late: number[] = [];
      for (const delay of delays) wheel.in(delay, () => late.push(performance.now() - start - delay));
      await vi.advanceTimersByTimeAsync(600);
      expect(late).toHaveLength(delays.length);
      // Fake timers count whole milliseconds, so one may be rounded off at either end.
      expect(Math.min(...late)).toBeGreaterThan(-1);
      expect(Math.max(...late)).toBeLessThanOrEqual(SLOT_MS + 1);
      wheel.stop();
    }),
    { numRuns: 50 },
  );
});

it('has one timer for thousands of callbacks', () => {
  const wheel = new TimerWheel(SLOT_MS);
  for (let i = 0; i < 5000; i += 1) wheel.in(1000 + i, () => {});
  expect(vi.getTimerCount()).toBe(1);
});

it('runs a nearer callback in its time when a farther one came first', async () => {
  const wheel = new TimerWheel(SLOT_MS);
  const ran: string[] = [];
  wheel.in(1000, () => ran.push('far'));
  wheel.in(100, () => ran.push('near'));
  await vi.advanceTimersByTimeAsync(110);
  expect(ran).toEqual(['near']);
  await vi.advanceTimersByTimeAsync(900);
  expect(ran).toEqual(['near', 'far']);
});

it('runs what a callback asked for', async () => {
  const wheel = new TimerWheel(SLOT_MS);
  const ran: string[] = [];
  wheel.in(10, () => wheel.in(10, () => ran.push('second')));
  await vi.advanceTimersByTimeAsync(40);
  expect(ran).toEqual(['second']);
});

it('never runs what was cancelled, and runs its neighbours in the same slot', async () => {
  const wheel = new TimerWheel(SLOT_MS);
  const ran: string[] = [];
  const cancelled = wheel.in(50, () => ran.push('cancelled'));
  wheel.in(50, () => ran.push('kept'));
  cancelled.cancel();
  cancelled.cancel();
  await vi.advanceTimersByTimeAsync(100);
  expect(ran).toEqual(['kept']);
});

it('forgets everything on a stop', async () => {
  const wheel = new TimerWheel(SLOT_MS);
  const ran: string[] = [];
  wheel.in(50, () => ran.push('late'));
  wheel.stop();
  expect(vi.getTimerCount()).toBe(0);
  await vi.advanceTimersByTimeAsync(100);
  expect(ran).toEqual([]);
});
