// The arithmetic under every figure of the bench. Nothing here is timed.

import { describe, expect, it } from 'vitest';
import { medianOf, percentileOf } from './lab/samples.ts';

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
