// Retention: every minute, what outlived its time is recorded and dropped.

import type { Logger } from '../domain/logger.ts';
import type { EngineLifecycle } from '../engine/index.ts';
import type { Job } from './job.ts';

export function createRetainJob({ engine, logger }: { engine: EngineLifecycle; logger: Logger }): Job {
  return {
    name: 'retain',
    schedule: '30 * * * * *',
    jitterMs: 20_000,
    run: async () => {
      const { expired, dead, pruned } = await engine.retain();
      if (expired + dead > 0) logger.warn({ expired, dead }, 'messages outlived their retention uncollected');
      if (pruned > 0) logger.info({ pruned }, 'pruned messages that everybody has settled');
    },
  };
}
