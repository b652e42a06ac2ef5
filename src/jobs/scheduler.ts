// The scheduler: runs the engine's upkeep, each task at its interval, on node-cron. A run that is
// still going is not started again. A stop waits for runs that are under way, and lets none begin.

import cron, { type ScheduledTask } from 'node-cron';
import { WillcallError } from '../domain/errors.ts';
import type { Logger } from '../domain/logger.ts';
import { type Observer, outcomeOf, silentObserver, type WorkOutcome } from '../domain/observer.ts';
import type { UpkeepReport, UpkeepTask } from '../engine/upkeep/index.ts';

const SECOND_MS = 1_000;
const MINUTE_MS = 60_000;
const HOUR_MS = 3_600_000;
/**
 * Each run is put off by up to this share of its interval, so that instances do not run in step.
 */
const JITTER = 0.1;

export interface SchedulerOptions {
  readonly upkeep: readonly UpkeepTask[];
  readonly logger: Logger;
  /** Absent: nothing is observed. */
  readonly observer?: Observer | undefined;
}

export interface Scheduler {
  start(): void;
  stop(): Promise<void>;
}

export function createScheduler({ upkeep, logger, observer = silentObserver }: SchedulerOptions): Scheduler {
  const scheduled: ScheduledTask[] = [];
  const running = new Set<Promise<void>>();

  async function runOnce({ name: task, run }: UpkeepTask): Promise<void> {
    const startedAt = performance.now();
    const report = (outcome: WorkOutcome, done: UpkeepReport) => {
      observer.task({ task, outcome, seconds: (performance.now() - startedAt) / 1000, done });
    };
    try {
      const done = await run();
      report('ok', done);
      if (Object.values(done).some((count) => count > 0)) logger.debug({ task, ...done }, 'upkeep was done');
    } catch (err) {
      // That the database is unavailable has been logged, once for all.
      const level = isRefusal(err) ? 'debug' : 'warn';
      logger[level]({ err, task }, 'upkeep failed; it is tried again at its next time');
      report(outcomeOf(err), {});
    }
  }

  function begin(task: UpkeepTask): Promise<void> {
    const run = runOnce(task).finally(() => running.delete(run));
    running.add(run);
    return run;
  }

  function start(): void {
    for (const task of upkeep) {
      const options = {
        name: task.name,
        noOverlap: true,
        maxRandomDelay: task.everyMs * JITTER,
        logger: toCronLogger(task, logger),
      };
      scheduled.push(cron.schedule(toCronExpression(task.everyMs), () => begin(task), options));
    }
  }

  async function stop(): Promise<void> {
    for (const task of scheduled.splice(0)) await task.destroy();
    await Promise.all(running);
  }

  return { start, stop };
}

/** Six fields, seconds first. Throws for an interval that cron cannot keep. */
export function toCronExpression(everyMs: number): string {
  if (everyMs >= SECOND_MS && MINUTE_MS % everyMs === 0 && everyMs % SECOND_MS === 0) {
    return everyMs === MINUTE_MS ? '0 * * * * *' : `*/${everyMs / SECOND_MS} * * * * *`;
  }
  if (everyMs > MINUTE_MS && HOUR_MS % everyMs === 0 && everyMs % MINUTE_MS === 0) {
    return everyMs === HOUR_MS ? '0 0 * * * *' : `0 */${everyMs / MINUTE_MS} * * * *`;
  }
  throw new Error(
    `Upkeep cannot run every ${everyMs} ms: only seconds that divide a minute, or minutes that divide an hour.`,
  );
}

/** Whether the store began nothing at all, the database being unavailable. */
function isRefusal(error: unknown): boolean {
  return error instanceof WillcallError && error.code === 'database_unavailable' && error.retryAfterSeconds !== null;
}

/** What node-cron logs, in the form of our logger. That a run is left out is ordinary. */
function toCronLogger({ name: task }: UpkeepTask, logger: Logger) {
  return {
    debug: () => {},
    info: () => {},
    warn: (reason: string) => logger.debug({ task, reason }, 'a run of upkeep was left out'),
    error: (err: string | Error) => logger.warn({ task, err }, 'the timer of upkeep failed'),
  };
}
