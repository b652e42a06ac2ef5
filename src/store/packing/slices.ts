// Slices: where each group begins and ends in a list that holds them all.
// Indexes count from 1, as in SQL arrays.

/** The last index of each group: [2, 1, 3] becomes [2, 3, 6]. */
export function runningTotals(counts: readonly number[]): number[] {
  let total = 0;
  return counts.map((count) => {
    total += count;
    return total;
  });
}

/** The first index of each group: [2, 1, 3] becomes [1, 3, 4]. */
export function firstsOf(counts: readonly number[]): number[] {
  return runningTotals(counts).map((last, i) => last - (counts[i] ?? 0) + 1);
}
