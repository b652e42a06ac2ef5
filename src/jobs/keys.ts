// Keys: every second, receives that are parked under a key that is no more are answered, and uses of keys written down.

import type { EngineLifecycle } from '../engine/index.ts';
import type { Job } from './job.ts';

export function createKeysJob({ engine }: { engine: EngineLifecycle }): Job {
  return {
    name: 'keys',
    schedule: '* * * * * *',
    jitterMs: 100,
    run: () => engine.tendKeys(),
  };
}
