// How many calls a key may make: a token bucket per key and instance. A bucket holds two seconds'
// worth of calls, or ten where that is more, and is full at first; each call takes one, and the
// key's rate fills it again. A call that finds it empty takes nothing, so that hammering on does
// not lengthen the wait. A bucket is kept as one number, the moment at which it is full again, and
// forgotten once that moment is past: memory is bounded by the keys that were used within the last
// seconds. (This is the generic cell rate algorithm: ITU-T I.371, annex A.)

import type { Access } from '../../domain/access.ts';
import type { Allowance } from '../../domain/fair-use.ts';
import { limits } from '../../domain/limits.ts';

export interface RateLimitsOptions {
  /** Of keys that have no rate of their own; 0 is no bound. */
  readonly requestsPerSecond: number;
  /** A clock that never jumps, in milliseconds. */
  readonly now?: () => number;
}

/** Sums of fractions are not exact: so much of a call gives no advantage. */
const ROUNDING = 0.0005;

export class RateLimits {
  readonly #requestsPerSecond: number;
  readonly #now: () => number;
  /** By key, when its bucket is full again. */
  readonly #fullAt = new Map<string, number>();

  constructor({ requestsPerSecond, now = () => performance.now() }: RateLimitsOptions) {
    this.#requestsPerSecond = requestsPerSecond;
    this.#now = now;
  }

  /** How many buckets are kept. */
  get size(): number {
    return this.#fullAt.size;
  }

  /** Counts one call; null for a caller whose calls are not counted. */
  admit({ keyId, requestsPerSecond }: Access): Allowance | null {
    const rate = requestsPerSecond ?? this.#requestsPerSecond;
    if (keyId === null || rate === 0) return null;
    const now = this.#now();
    const callMs = 1000 / rate;
    const quota = Math.max(rate * limits.keyBurstSeconds, limits.keyBurstRequestsMin);
    const fillMs = quota * callMs;
    const before = Math.max(now, this.#fullAt.get(keyId) ?? now);
    const admitted = before + callMs - now <= fillMs + callMs * ROUNDING;
    const fullAt = admitted ? before + callMs : before;
    if (admitted) this.#fullAt.set(keyId, fullAt);
    const remaining = Math.max(0, Math.floor((fillMs - (fullAt - now)) / callMs + ROUNDING));
    return {
      admitted,
      quota,
      windowSeconds: Math.ceil(fillMs / 1000),
      remaining,
      resetSeconds: Math.ceil((fullAt - now) / 1000),
      retryAfterSeconds: admitted ? 0 : Math.max(1, Math.ceil((fullAt + callMs - now - fillMs) / 1000)),
    };
  }

  /** Forgets the buckets that are full again: a new one would be the same. */
  forgetFull(): void {
    const now = this.#now();
    for (const [keyId, fullAt] of this.#fullAt) if (fullAt <= now) this.#fullAt.delete(keyId);
  }
}
