// The list of doors. A new door costs its own folder and one line here; main starts and stops them without knowing which
// they are.

import type { Logger } from '../domain/logger.ts';
import type { ByteBudget } from '../engine/fair-use/byte-budget.ts';
import type { Engine } from '../engine/index.ts';
import type { Timeouts } from './http/timeouts.ts';
import { createRestDoor } from './rest/index.ts';

/** One way in. */
export interface Door {
  readonly name: string;
  /** Begins to take requests; resolves to the address where it does. */
  start(): Promise<string>;
  /** Refuses new requests at once; resolves when those under way have been answered. */
  stop(): Promise<void>;
}

export interface DoorsOptions {
  readonly engine: Engine;
  readonly logger: Logger;
  /** The budget of the instance, which every door counts in. */
  readonly byteBudget: ByteBudget;
  readonly host: string;
  readonly port: number;
  /** Of the REST door; absent: its defaults. */
  readonly timeouts?: Timeouts | undefined;
}

/** Makes every door, closed as yet. The first is the one whose address is announced. */
export function createDoors(options: DoorsOptions): readonly [Door, ...Door[]] {
  return [createRestDoor(options)];
}
