// What the drivers of steady loads share: a warm-up, then windows measured one after the other
// while the loops go on, and the counters and kinds of call that each window holds.

import { performance } from 'node:perf_hooks';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Reporter } from './protocol.ts';
import { Recorder, type WindowFigures } from './recorder.ts';

const counters = ['published', 'received', 'redelivered', 'acknowledged', 'abandoned', 'emptyReceives'] as const;
export const lifecycleCalls = ['publish', 'receive', 'acknowledge'] as const;
type Counter = (typeof counters)[number];
type Call = (typeof lifecycleCalls)[number];
export type LifecycleFigures = WindowFigures<Counter, Call>;

export interface WindowTimes {
  readonly warmUpSeconds: number;
  readonly windowSeconds: number;
  readonly windows: number;
}

export interface Shared {
  recorder: Recorder<Counter, Call>;
  stopped: boolean;
}

/** A connection that meets an error goes on, unless it becomes clear that nothing works. */
const ERRORS_MAX = 50;
const PAUSE_AFTER_ERROR_MS = 100;

/** Starts the loops, measures, stops them. The loops end once `shared.stopped` is set. */
export async function measureWindows(
  times: WindowTimes,
  reporter: Reporter<LifecycleFigures>,
  start: (shared: Shared) => Promise<unknown>,
): Promise<void> {
  const shared: Shared = { recorder: newRecorder(), stopped: false };
  const loops = start(shared);
  // Awaited below; a loop that fails at once must not count as unhandled meanwhile.
  loops.catch(() => {});
  await sleep(times.warmUpSeconds * 1000);
  const warmUp = shared.recorder;
  shared.recorder = newRecorder();
  reporter.measuring();
  const startedAt = performance.now();
  for (let window = 1; window <= times.windows; window += 1) {
    await sleep(Math.max(0, startedAt + window * times.windowSeconds * 1000 - performance.now()));
    const finished = shared.recorder;
    shared.recorder = newRecorder();
    reporter.window(window === 1 ? withErrorsOf(warmUp, finished) : finished.finish());
    if (finished.errors > ERRORS_MAX) {
      break;
    }
  }
  shared.stopped = true;
  await loops;
}

/**
 * Repeats a turn until the load is stopped; an error is recorded, and the loop goes on after a
 * moment.
 */
export async function repeat(shared: Shared, turn: (index: number) => Promise<void>, from = 0): Promise<void> {
  for (let index = from; !shared.stopped; index += 1) {
    try {
      await turn(index);
    } catch (error) {
      if (shared.stopped) {
        return;
      }
      shared.recorder.recordError(error);
      await sleep(PAUSE_AFTER_ERROR_MS);
    }
  }
}

export async function timed<Result>(shared: Shared, call: Call, run: () => Promise<Result>): Promise<Result> {
  const startedAt = performance.now();
  const result = await run();
  shared.recorder.recordCall(call, performance.now() - startedAt);
  return result;
}

function newRecorder(): Recorder<Counter, Call> {
  return new Recorder(counters, lifecycleCalls);
}

// What failed while warming up is not measured, but must not go unseen.
function withErrorsOf(warmUp: Recorder<Counter, Call>, recorder: Recorder<Counter, Call>): LifecycleFigures {
  const figures = recorder.finish();
  const before = warmUp.finish();
  return {
    ...figures,
    errors: before.errors + figures.errors,
    errorTexts: [...before.errorTexts, ...figures.errorTexts],
  };
}
