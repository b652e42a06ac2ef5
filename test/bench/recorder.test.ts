// What a window of a load says of its calls. Nothing here is timed.

import { describe, expect, it } from 'vitest';
import { Recorder } from './load/recorder.ts';

const recordAll = (...times: number[]) => {
  const recorder = new Recorder([], ['publish']);
  for (const ms of times) recorder.recordCall('publish', ms);
  return recorder.finish().calls.publish;
};

describe('the times of calls', () => {
  it('are null where there was none', () => {
    expect(recordAll()).toEqual({ count: 0, p50Ms: null, p99Ms: null, maxMs: 0 });
  });

  it('have percentiles by nearest rank, in milliseconds', () => {
    const times = Array.from({ length: 100 }, (_, index) => (index + 1) / 1000);
    expect(recordAll(...times)).toMatchObject({ count: 100, p50Ms: 0.05, p99Ms: 0.099, maxMs: 0.1 });
  });

  it('are within one per cent over five decades', () => {
    for (const ms of [0.01, 0.5, 7.7, 83, 941, 12_345]) {
      const { p50Ms, maxMs } = recordAll(ms);
      expect(Math.abs((p50Ms ?? 0) / ms - 1)).toBeLessThan(0.01);
      expect(Math.abs(maxMs / ms - 1)).toBeLessThan(0.01);
    }
  });

  it('count at the ends of the range what lies outside', () => {
    const { count, p50Ms, p99Ms } = recordAll(0, 2 ** 40);
    expect([count, p50Ms]).toEqual([2, 0.001]);
    expect(Math.abs((p99Ms ?? 0) / ((2 ** 31 - 1) / 1000) - 1)).toBeLessThan(0.01);
  });
});
