// The arithmetic under every figure of the bench. Nothing here is timed.

import { describe, expect, it } from 'vitest';
import { Histogram, medianOf, percentileOf } from './lab/histogram.ts';

describe('Histogram', () => {
  it('is empty at first', () => {
    const histogram = new Histogram();
    expect(histogram.count).toBe(0);
    expect(histogram.percentile(50)).toBeNull();
  });

  it('keeps small values exactly', () => {
    const histogram = new Histogram();
    for (let value = 1; value <= 100; value += 1) {
      histogram.record(value);
    }
    expect(histogram.percentile(50)).toBe(50);
    expect(histogram.percentile(99)).toBe(99);
    expect(histogram.percentile(100)).toBe(100);
    expect(histogram.max).toBe(100);
  });

  it('is within one per cent of the exact percentile over five decades', () => {
    const histogram = new Histogram();
    const samples: number[] = [];
    for (let step = 0; step < 5000; step += 1) {
      const value = Math.round(10 ** (1 + (step * 7919) / 5000 / 1584));
      samples.push(value);
      histogram.record(value);
    }
    for (const percent of [1, 25, 50, 90, 99, 99.9]) {
      const exact = percentileOf(samples, percent) ?? Number.NaN;
      const found = histogram.percentile(percent) ?? Number.NaN;
      expect(found).toBeGreaterThanOrEqual(exact);
      expect(found).toBeLessThanOrEqual(exact * 1.01);
    }
  });

  it('counts what lies outside its range at its ends', () => {
    const histogram = new Histogram();
    histogram.record(-5);
    histogram.record(2 ** 40);
    expect(histogram.percentile(1)).toBe(0);
    expect(histogram.percentile(100)).toBe(2 ** 31 - 1);
  });
});

describe('percentileOf', () => {
  it('takes the nearest rank, negative samples included', () => {
    expect(percentileOf([3, -1, 2], 50)).toBe(2);
    expect(percentileOf([3, -1, 2], 1)).toBe(-1);
    expect(percentileOf([3, -1, 2], 100)).toBe(3);
  });

  it('is null of nothing', () => {
    expect(percentileOf([], 50)).toBeNull();
  });
});

describe('medianOf', () => {
  it('is the middle sample, or the mean of the two in the middle', () => {
    expect(medianOf([5, 1, 3])).toBe(3);
    expect(medianOf([4, 1, 3, 2])).toBe(2.5);
    expect(medianOf([])).toBeNull();
  });
});
