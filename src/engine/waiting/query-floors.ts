// Query floors: up to where earlier queries of a subscription left nothing, so that the next one
// need not walk over what is dead there. See docs/architecture.md, "Floors".

import type { ReceiveOutcome } from '../../store/deliveries.ts';
import { DeferredFloor } from './deferred-floor.ts';

/** After so long a query is about everything deferred again. */
const FULL_QUERY_MS = 60_000;

/** The floors of one query. */
export interface Floors {
  readonly deferredFloor: Date | null;
  readonly leaseFloor: number;
  /** Counts how often everything was forgotten before. */
  readonly generation: number;
}

export class QueryFloors {
  #deferred = new DeferredFloor();
  #lease = 0;
  #generation = 0;
  #fullQueryAtMs = 0;

  /** The floors of the query that begins now. */
  next(): Floors {
    const now = performance.now();
    if (now - this.#fullQueryAtMs > FULL_QUERY_MS) {
      this.#deferred.forget();
      this.#fullQueryAtMs = now;
    }
    return { deferredFloor: this.#deferred.at, leaseFloor: this.#lease, generation: this.#generation };
  }

  /**
   * Learns from a query with these floors; nothing from one that began before all was forgotten.
   */
  learn(outcome: ReceiveOutcome, { generation }: Floors): void {
    if (outcome.checkedAt === null || generation !== this.#generation) return;
    this.#lease = outcome.leaseFloor;
    this.#deferred.learn(outcome);
  }

  /** What was learnt by a clock that was set back does not hold. */
  forget(): void {
    this.#deferred = new DeferredFloor();
    this.#generation += 1;
  }
}
