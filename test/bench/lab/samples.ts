// Percentiles and medians of samples that are few enough to be kept.

/** Nearest-rank percentile of unsorted samples, negative ones too; null when there are none. */
export function percentileOf(samples: readonly number[], percent: number): number | null {
  const sorted = samples.toSorted((a, b) => a - b);
  const rank = Math.max(1, Math.ceil((percent / 100) * sorted.length));
  return sorted[rank - 1] ?? null;
}

/** The middle one, or the mean of the two in the middle; null when there are none. */
export function medianOf(samples: readonly number[]): number | null {
  const sorted = samples.toSorted((a, b) => a - b);
  const upper = sorted[Math.floor(sorted.length / 2)];
  const lower = sorted[Math.ceil(sorted.length / 2) - 1];
  return upper === undefined || lower === undefined ? null : (upper + lower) / 2;
}
