// Fair use: what one client may take of what all of them share, as this instance was told. The
// engine and the doors keep to it; docs/decisions/0023-fair-use.md says why it is as it is.

import { limits } from './limits.ts';

/** Bounds of one instance. */
export interface FairUse {
  /** Of a key that has no rate of its own, on average; 0 is no bound. */
  readonly keyRequestsPerSecond: number;
  /** Receives that wait at the same time, of one key. */
  readonly keyParkedReceives: number;
  /** Receives under way at the same time, of everybody. */
  readonly parkedReceives: number;
  /**
   * Bytes on their way through the instance: bodies that have arrived, and answers that are not yet
   * written out.
   */
  readonly trafficBytes: number;
}

export const fairUseDefaults: FairUse = {
  keyRequestsPerSecond: limits.keyRequestsPerSecondDefault,
  keyParkedReceives: limits.keyParkedReceivesDefault,
  parkedReceives: limits.parkedReceivesDefault,
  trafficBytes: limits.trafficBytesDefault,
};

/** What is left to a key after a call of its, or before one that came too early. */
export interface Allowance {
  readonly admitted: boolean;
  /**
   * Calls that may be made at once after a rest, and how long the rest has to be when all were
   * made.
   */
  readonly quota: number;
  readonly windowSeconds: number;
  /** Calls that may be made at once now. */
  readonly remaining: number;
  /** Whole seconds until there is a full quota again. */
  readonly resetSeconds: number;
  /**
   * Whole seconds until the next call is admitted, as far as is known now; 0 when one is at once.
   */
  readonly retryAfterSeconds: number;
}
