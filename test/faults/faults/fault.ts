// What a fault is: something that happens to servers, done for a while and then over.

import type { Lab } from '../lab/lab.ts';
import type { Random } from '../lab/random.ts';

export interface Fault {
  readonly name: string;
  /**
   * Whom it befalls. Those of one side do not overlap with each other, but with those of the other
   * side.
   */
  readonly side: 'service' | 'database';
  /**
   * Resolves when it is over; what it ended, it has started again. All its choices come from
   * `random`.
   */
  inflict(lab: Lab, random: Random): Promise<void>;
}
