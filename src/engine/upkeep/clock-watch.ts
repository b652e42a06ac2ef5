// Clock watch: notices that the database's clock was set back, by the monotonic clock of the
// process. A reading of the database's clock lies between two moments of ours, so that what the one
// is ahead of the other is known to within the time of the query. A clock that is less ahead than
// it was, by more than that, was set back (or stood still, as on a machine that slept).

/** The floors of queries allow for a clock that is set back by so much (deferred-floor.ts). */
const TOLERANCE_MS = 200;
/** Clocks drift apart: by more than NTP corrects without a step. */
const DRIFT = 0.001;

/** One reading: the database's clock, and our own before and after, in milliseconds. */
export interface ClockReading {
  readonly databaseMs: number;
  readonly beforeMs: number;
  readonly afterMs: number;
}

export class ClockWatch {
  /** By how much the database's clock was ahead at least, and when that was known. */
  #aheadMs = Number.NEGATIVE_INFINITY;
  #atMs = 0;

  /**
   * By how many milliseconds the clock was set back since the last reading, at least; 0: it was
   * not.
   */
  read({ databaseMs, beforeMs, afterMs }: ClockReading): number {
    const expectedMs = this.#aheadMs - (beforeMs - this.#atMs) * DRIFT;
    const setBackMs = expectedMs - (databaseMs - beforeMs);
    const aheadMs = databaseMs - afterMs;
    if (setBackMs > TOLERANCE_MS) {
      this.#remember(aheadMs, afterMs);
      return setBackMs;
    }
    if (aheadMs > expectedMs) this.#remember(aheadMs, afterMs);
    return 0;
  }

  #remember(aheadMs: number, atMs: number): void {
    this.#aheadMs = aheadMs;
    this.#atMs = atMs;
  }
}
