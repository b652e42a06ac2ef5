// Query floors: up to where earlier queries of a subscription left nothing, so that the next one
// need not walk over what is dead there. See docs/architecture.md, "Floors".

import type { ReceiveOutcome } from '../../store/deliveries.ts';
import { DeferredFloor } from './deferred-floor.ts';

/** After so long a query is about everything deferred again. */
const FULL_QUERY_MS = 60_000;

export class QueryFloors {
  readonly #deferred = new DeferredFloor();
  #lease = 0;
  #fullQueryAtMs = 0;

  /** The floors of the query that begins now. */
  next(): { readonly deferredFloor: Date | null; readonly leaseFloor: number } {
    const now = performance.now();
    if (now - this.#fullQueryAtMs > FULL_QUERY_MS) {
      this.#deferred.forget();
      this.#fullQueryAtMs = now;
    }
    return { deferredFloor: this.#deferred.at, leaseFloor: this.#lease };
  }

  learn(outcome: ReceiveOutcome): void {
    if (outcome.checkedAt === null) return;
    this.#lease = outcome.leaseFloor;
    this.#deferred.learn(outcome);
  }
}
