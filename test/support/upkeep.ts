// The upkeep of an engine, task by task, for tests that run it themselves.

import type { Engine, EngineLifecycle } from '../../src/engine/index.ts';
import type { RetainReport } from '../../src/engine/upkeep/retain.ts';
import type { SweepReport } from '../../src/engine/upkeep/sweep.ts';

/** An engine whose upkeep runs when the test says so. */
export interface TendedEngine extends Engine, EngineLifecycle {
  sweep(): Promise<SweepReport>;
  retain(): Promise<RetainReport>;
  poll(): Promise<void>;
  tendKeys(): Promise<void>;
}

export function withUpkeep(engine: Engine & EngineLifecycle): TendedEngine {
  const run = async <Report>(name: string): Promise<Report> => {
    const task = engine.upkeep.find((each) => each.name === name);
    if (task === undefined) throw new Error(`there is no upkeep named ${name}`);
    return (await task.run()) as Report;
  };
  return {
    ...engine,
    sweep: () => run('sweep'),
    retain: () => run('retain'),
    poll: () => run('poll'),
    tendKeys: () => run('keys'),
  };
}
