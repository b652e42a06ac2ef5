// What one window of a load saw: counters, call times per kind of call, and errors. A fresh
// recorder per window.

import { createHistogram, performance, type RecordableHistogram } from 'node:perf_hooks';

export interface CallFigures {
  readonly count: number;
  readonly p50Ms: number | null;
  readonly p99Ms: number | null;
  readonly maxMs: number;
}

export interface WindowFigures<Counter extends string, Call extends string> {
  readonly seconds: number;
  readonly counters: Readonly<Record<Counter, number>>;
  readonly calls: Readonly<Record<Call, CallFigures>>;
  readonly errors: number;
  /** The first few, in words. */
  readonly errorTexts: readonly string[];
}

const ERROR_TEXTS_MAX = 5;
/** Times are whole microseconds; a call of more than 36 minutes counts as one of that length. */
const MICROSECONDS_MAX = 2 ** 31 - 1;
/** Digits of a percentile that are right. */
const FIGURES = 3;

export class Recorder<Counter extends string, Call extends string> {
  readonly #startedAt = performance.now();
  readonly #counters: Record<Counter, number>;
  readonly #histograms: Record<Call, RecordableHistogram>;
  readonly #errorTexts: string[] = [];
  #errors = 0;

  constructor(counters: readonly Counter[], calls: readonly Call[]) {
    this.#counters = Object.fromEntries(counters.map((name) => [name, 0])) as Record<Counter, number>;
    const options = { lowest: 1, highest: MICROSECONDS_MAX, figures: FIGURES };
    this.#histograms = Object.fromEntries(calls.map((name) => [name, createHistogram(options)])) as Record<
      Call,
      RecordableHistogram
    >;
  }

  get errors(): number {
    return this.#errors;
  }

  add(counter: Counter, amount: number): void {
    this.#counters[counter] += amount;
  }

  recordCall(call: Call, ms: number): void {
    this.#histograms[call].record(Math.min(Math.max(Math.round(ms * 1000), 1), MICROSECONDS_MAX));
  }

  recordError(error: unknown): void {
    this.#errors += 1;
    if (this.#errorTexts.length < ERROR_TEXTS_MAX) {
      this.#errorTexts.push(error instanceof Error ? error.message : String(error));
    }
  }

  /** Ends the window. */
  finish(): WindowFigures<Counter, Call> {
    const calls = Object.entries<RecordableHistogram>(this.#histograms).map(([name, histogram]) => [
      name,
      summarize(histogram),
    ]);
    return {
      seconds: (performance.now() - this.#startedAt) / 1000,
      counters: { ...this.#counters },
      calls: Object.fromEntries(calls) as Record<Call, CallFigures>,
      errors: this.#errors,
      errorTexts: this.#errorTexts,
    };
  }
}

function summarize(histogram: RecordableHistogram): CallFigures {
  const { count } = histogram;
  const percentileMs = (percent: number) => (count === 0 ? null : histogram.percentile(percent) / 1000);
  return {
    count,
    p50Ms: percentileMs(50),
    p99Ms: percentileMs(99),
    maxMs: count === 0 ? 0 : histogram.max / 1000,
  };
}
