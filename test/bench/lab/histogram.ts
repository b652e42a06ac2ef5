// A histogram of call times in constant memory: 128 steps per doubling, so that a percentile is off
// by less than one per cent, and recording costs a few instructions however many calls there were.
// Values are whole microseconds.

const STEPS_PER_DOUBLING = 128;
const STEPS_BITS = 7;
/** Above 2^31 µs (36 minutes) a call is counted as one of that length. */
const VALUE_MAX = 2 ** 31 - 1;

export class Histogram {
  readonly #counts = new Uint32Array(bucketOf(VALUE_MAX) + 1);
  #count = 0;
  #max = 0;

  get count(): number {
    return this.#count;
  }

  get max(): number {
    return this.#max;
  }

  record(value: number): void {
    const whole = Math.min(Math.max(Math.round(value), 0), VALUE_MAX);
    const bucket = bucketOf(whole);
    this.#counts[bucket] = (this.#counts[bucket] ?? 0) + 1;
    this.#count += 1;
    this.#max = Math.max(this.#max, whole);
  }

  /**
   * Nearest-rank percentile (0 to 100): the upper end of its bucket, at most the largest value;
   * null when empty.
   */
  percentile(percent: number): number | null {
    if (this.#count === 0) {
      return null;
    }
    const rank = Math.max(1, Math.ceil((percent / 100) * this.#count));
    let seen = 0;
    for (let bucket = 0; bucket < this.#counts.length; bucket += 1) {
      seen += this.#counts[bucket] ?? 0;
      if (seen >= rank) {
        return Math.min(upperEndOf(bucket), this.#max);
      }
    }
    return this.#max;
  }
}

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

// The first 2 × 128 values have a bucket each; after that each doubling has 128, so the numbers
// stay contiguous.
function bucketOf(value: number): number {
  const shift = Math.max(0, 32 - Math.clz32(value) - (STEPS_BITS + 1));
  return shift * STEPS_PER_DOUBLING + (value >>> shift);
}

function upperEndOf(bucket: number): number {
  const shift = Math.max(0, Math.floor(bucket / STEPS_PER_DOUBLING) - 1);
  return (bucket - shift * STEPS_PER_DOUBLING + 1) * 2 ** shift - 1;
}
