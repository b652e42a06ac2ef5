// What one window of a load saw: counters, call times per kind of call, and errors. A fresh
// recorder per window.

import { performance } from 'node:perf_hooks';
import { Histogram } from '../lab/histogram.ts';

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

export class Recorder<Counter extends string, Call extends string> {
  readonly #startedAt = performance.now();
  readonly #counters: Record<Counter, number>;
  readonly #histograms: Record<Call, Histogram>;
  readonly #errorTexts: string[] = [];
  #errors = 0;

  constructor(counters: readonly Counter[], calls: readonly Call[]) {
    this.#counters = Object.fromEntries(counters.map((name) => [name, 0])) as Record<Counter, number>;
    this.#histograms = Object.fromEntries(calls.map((name) => [name, new Histogram()])) as Record<Call, Histogram>;
  }

  get errors(): number {
    return this.#errors;
  }

  add(counter: Counter, amount: number): void {
    this.#counters[counter] += amount;
  }

  recordCall(call: Call, ms: number): void {
    this.#histograms[call].record(ms * 1000);
  }

  recordError(error: unknown): void {
    this.#errors += 1;
    if (this.#errorTexts.length < ERROR_TEXTS_MAX) {
      this.#errorTexts.push(error instanceof Error ? error.message : String(error));
    }
  }

  /** Ends the window. */
  finish(): WindowFigures<Counter, Call> {
    const calls = Object.entries<Histogram>(this.#histograms).map(([name, histogram]) => [name, summarize(histogram)]);
    return {
      seconds: (performance.now() - this.#startedAt) / 1000,
      counters: { ...this.#counters },
      calls: Object.fromEntries(calls) as Record<Call, CallFigures>,
      errors: this.#errors,
      errorTexts: this.#errorTexts,
    };
  }
}

function summarize(histogram: Histogram): CallFigures {
  const ms = (microseconds: number | null) => (microseconds === null ? null : microseconds / 1000);
  return {
    count: histogram.count,
    p50Ms: ms(histogram.percentile(50)),
    p99Ms: ms(histogram.percentile(99)),
    maxMs: histogram.max / 1000,
  };
}
