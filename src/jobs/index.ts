// Timed upkeep: when it runs, not what it does. Every instance runs it; a run that is still going is not started again.

import cron, { type ScheduledTask } from 'node-cron';
import { WillcallError } from '../domain/errors.ts';
import type { Logger } from '../domain/logger.ts';
import type { EngineLifecycle } from '../engine/index.ts';
import type { Job } from './job.ts';
import { createKeysJob } from './keys.ts';
import { createRetainJob } from './retain.ts';
import { createSweepJob } from './sweep.ts';

export function createJobs(options: { engine: EngineLifecycle; logger: Logger }) {
  const { logger } = options;
  const jobs: Job[] = [createSweepJob(options), createRetainJob(options), createKeysJob(options)];
  const tasks: ScheduledTask[] = [];
  const running = new Set<Promise<void>>();

  const runOnce = (job: Job): Promise<void> => {
    const run = job
      .run()
      .catch((err: unknown) => {
        // That the database is away has been said, once for all.
        const level = isRefusal(err) ? 'debug' : 'warn';
        logger[level]({ err, job: job.name }, 'upkeep failed; it is tried again at its next time');
      })
      .finally(() => running.delete(run));
    running.add(run);
    return run;
  };

  return {
    start: (): void => {
      for (const job of jobs) {
        tasks.push(
          cron.schedule(job.schedule, () => runOnce(job), {
            name: job.name,
            noOverlap: true,
            maxRandomDelay: job.jitterMs,
            logger: toCronLogger(job, logger),
          }),
        );
      }
    },
    /** Waits for runs that are going on. */
    stop: async (): Promise<void> => {
      for (const task of tasks.splice(0)) await task.destroy();
      await Promise.all(running);
    },
  };
}

/** Whether the store began nothing at all, the database being away. */
function isRefusal(error: unknown): boolean {
  return error instanceof WillcallError && error.code === 'database_unavailable' && error.retryAfterSeconds !== null;
}

/** What node-cron has to say, among what we say. That a run is left out while the last one goes on is ordinary. */
function toCronLogger({ name: job }: Job, logger: Logger) {
  return {
    debug: () => {},
    info: () => {},
    warn: (reason: string) => logger.debug({ job, reason }, 'a run of upkeep was left out'),
    error: (err: string | Error) => logger.warn({ job, err }, 'the timer of upkeep failed'),
  };
}
