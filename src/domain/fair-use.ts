// Fair use: how much of an instance's shared resources one client may take.
// The engine and the transports apply it; docs/decisions/0023-fair-use.md gives the reasons.

import { limits } from './limits.ts';

/** Bounds of one instance. */
export interface FairUse {
  /** Of a key that has no rate of its own, on average; 0 means no limit. */
  readonly keyRequestsPerSecond: number;
  /** Receives of one key that are parked at the same time. */
  readonly keyParkedReceives: number;
  /** Receives of all keys that are parked or running at the same time. */
  readonly parkedReceives: number;
  /** Bytes in flight: bodies of requests that have arrived, and answers not yet written out. */
  readonly trafficBytes: number;
}

export const fairUseDefaults: FairUse = {
  keyRequestsPerSecond: limits.keyRequestsPerSecondDefault,
  keyParkedReceives: limits.keyParkedReceivesDefault,
  parkedReceives: limits.parkedReceivesDefault,
  trafficBytes: limits.trafficBytesDefault,
};

/** The state of a key's rate after a call, admitted or refused. */
export interface Allowance {
  readonly admitted: boolean;
  /** Calls that can be made at once after a pause of `windowSeconds`. */
  readonly quota: number;
  readonly windowSeconds: number;
  /** Calls that can be made at once now. */
  readonly remaining: number;
  /** Whole seconds until there is a full quota again. */
  readonly resetSeconds: number;
  /** Whole seconds until the next call is admitted; 0 when it is admitted now. */
  readonly retryAfterSeconds: number;
}
