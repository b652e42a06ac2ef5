// Alarm: wakes at the earliest of the moments it was set for.

/**
 * Timers fire up to a millisecond early, and instants are cut to the millisecond: to wake then
 * would be in vain.
 */
const EARLY_MS = 2;

export class Alarm {
  readonly #wake: () => void;
  #timer: NodeJS.Timeout | null = null;
  #atMs = Number.POSITIVE_INFINITY;

  constructor(wake: () => void) {
    this.#wake = wake;
  }

  setIn(delayMs: number): void {
    const atMs = performance.now() + delayMs;
    if (this.#atMs <= atMs) return;
    this.clear();
    this.#atMs = atMs;
    this.#timer = setTimeout(() => this.#ring(), Math.max(0, delayMs) + EARLY_MS);
  }

  clear(): void {
    if (this.#timer !== null) clearTimeout(this.#timer);
    this.#timer = null;
    this.#atMs = Number.POSITIVE_INFINITY;
  }

  #ring(): void {
    this.clear();
    this.#wake();
  }
}
