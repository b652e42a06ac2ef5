// The periodic work of an engine. Every instance does all of it; nothing is owned by one, so it
// does not matter how many do. When it runs is for src/jobs; a new task is one row of the list
// below.

import type { Logger } from '../../domain/logger.ts';
import type { Store } from '../../store/index.ts';
import type { Admission } from '../admission.ts';
import type { Slots } from '../batching/slots.ts';
import type { DeadLetterLog } from '../dead-letter-log.ts';
import type { Dispatchers } from '../waiting/dispatchers.ts';
import type { Wakeups } from '../waiting/wakeups.ts';
import { createRetention } from './retain.ts';
import { createSweeper } from './sweep.ts';

export interface UpkeepTask {
  readonly name: string;
  /** Seconds that divide a minute, or minutes that divide an hour. */
  readonly everyMs: number;
  /** Does the work once and resolves to what was done; throws its first fault. */
  run(): Promise<UpkeepReport>;
}

/** Counts by kind; empty where nothing counts. */
export type UpkeepReport = Readonly<Record<string, number>>;

export interface Upkeep {
  readonly tasks: readonly UpkeepTask[];
  /** Resolves when nothing that a task left for later is on its way. */
  stop(): Promise<void>;
}

export interface UpkeepDeps {
  readonly store: Store;
  readonly logger: Logger;
  readonly dispatchers: Dispatchers;
  readonly wakeups: Wakeups;
  readonly admission: Admission;
  readonly lockWaits: Slots;
  readonly deadLetterLog: DeadLetterLog;
}

export function createUpkeep(deps: UpkeepDeps): Upkeep {
  const sweeper = createSweeper(deps);
  const retention = createRetention(deps);
  const tendKeys = async () => {
    await deps.admission.tend();
    return {};
  };
  const tasks: readonly UpkeepTask[] = [
    { name: 'sweep', everyMs: 1_000, run: sweeper.run },
    { name: 'keys', everyMs: 1_000, run: tendKeys },
    { name: 'poll', everyMs: 5_000, run: () => deps.dispatchers.poll() },
    { name: 'retain', everyMs: 60_000, run: retention.run },
  ];
  return { tasks, stop: sweeper.stop };
}
