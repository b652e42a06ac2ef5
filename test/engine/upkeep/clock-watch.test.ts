// The clock watch: what readings say of a clock that was set back, and what they cannot say.

import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { ClockWatch } from '../../../src/engine/upkeep/clock-watch.ts';

const START = Date.UTC(2030, 0, 1);

interface Second {
  /** How long the query takes, and how much of that before the clock is read. */
  takesMs: number;
  readAtMs: number;
}

/** Reads once a second, the clock being off by `offset(second)`; what each reading said. */
function readEachSecond(seconds: readonly Second[], offset: (second: number) => number): number[] {
  const watch = new ClockWatch();
  return seconds.map(({ takesMs, readAtMs }, second) => {
    const beforeMs = 1000 * second;
    const databaseMs = START + beforeMs + Math.min(readAtMs, takesMs) + offset(second);
    return watch.read({ databaseMs, beforeMs, afterMs: beforeMs + takesMs });
  });
}

const queries = fc.array(
  fc.record({ takesMs: fc.integer({ min: 0, max: 20_000 }), readAtMs: fc.integer({ min: 0, max: 20_000 }) }),
  { minLength: 2, maxLength: 50 },
);

describe('readings', () => {
  it('say nothing of a clock that is right, however long queries take', () => {
    fc.assert(
      fc.property(queries, (seconds) => {
        expect(readEachSecond(seconds, () => 0)).toEqual(seconds.map(() => 0));
      }),
    );
  });

  it.each([-0.0009, 0.0009, 0.1])('say nothing of a clock that runs wrong by %f', (rate) => {
    fc.assert(
      fc.property(queries, (seconds) => {
        expect(readEachSecond(seconds, (second) => 1000 * second * rate)).toEqual(seconds.map(() => 0));
      }),
    );
  });

  it('say nothing of a clock that is set ahead', () => {
    const quick = Array.from({ length: 9 }, () => ({ takesMs: 5, readAtMs: 2 }));
    expect(readEachSecond(quick, (second) => (second < 5 ? 0 : 3_600_000))).toEqual(quick.map(() => 0));
  });

  it.each([250, 1000, 20_000, 3_600_000])('tell at once and once of a clock that is set back by %i ms', (step) => {
    const quick = Array.from({ length: 9 }, () => ({ takesMs: 5, readAtMs: 2 }));
    const told = readEachSecond(quick, (second) => (second < 5 ? 0 : -step));
    expect(told.filter((setBackMs) => setBackMs > 0)).toHaveLength(1);
    expect(told[5]).toBeGreaterThan(step - 20);
    expect(told[5]).toBeLessThanOrEqual(step);
  });

  it('tell of a step that is within what a slow query leaves open as soon as a quick one is made', () => {
    const seconds = [2, 900, 2].map((takesMs) => ({ takesMs, readAtMs: takesMs }));
    const told = readEachSecond(seconds, (second) => (second < 1 ? 0 : -800));
    expect(told).toEqual([0, 0, expect.closeTo(798, -1)]);
  });
});
