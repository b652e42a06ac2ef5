// The sweep: every second, what is over ends and what is due comes.

import type { Logger } from '../domain/logger.ts';
import type { EngineLifecycle } from '../engine/index.ts';
import type { Job } from './job.ts';

export function createSweepJob({ engine, logger }: { engine: EngineLifecycle; logger: Logger }): Job {
  return {
    name: 'sweep',
    schedule: '* * * * * *',
    jitterMs: 100,
    run: async () => {
      const { ended, dead, appended } = await engine.sweep();
      if (ended + appended > 0) logger.debug({ ended, dead, appended }, 'swept');
      if (dead > 0) logger.info({ dead }, 'messages became dead letters after their last attempt');
    },
  };
}
