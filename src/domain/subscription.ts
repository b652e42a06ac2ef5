// A subscription: one client's claim on a topic, a cursor into its log plus what is in flight.

import { limits } from './limits.ts';

/**
 * Where a new subscription begins to read: at the oldest message kept, after the newest, or at the
 * first message from an instant on.
 */
export type StartPosition = 'earliest' | 'latest' | Date;

/** Settings that can be changed at any time. Durations are whole seconds. */
export interface SubscriptionSettings {
  readonly visibilityTimeoutSeconds: number;
  /** Messages become receivable only when they are this old. */
  readonly delaySeconds: number;
  /** Failed attempts (expiry, or release with an error) after which a message is quarantined. */
  readonly maxAttempts: number;
  /** Deliveries, failed or not, after which a message is quarantined. */
  readonly maxDeliveries: number;
  readonly minBackoffSeconds: number;
  readonly maxBackoffSeconds: number;
  /** Messages that may be in flight at once; null means no limit. */
  readonly maxInFlight: number | null;
}

export const subscriptionDefaults: SubscriptionSettings = {
  visibilityTimeoutSeconds: limits.visibilityTimeoutSecondsDefault,
  delaySeconds: 0,
  maxAttempts: limits.maxAttemptsDefault,
  maxDeliveries: limits.maxDeliveriesDefault,
  minBackoffSeconds: limits.minBackoffSecondsDefault,
  maxBackoffSeconds: limits.maxBackoffSecondsDefault,
  maxInFlight: null,
};

export interface Subscription extends SubscriptionSettings {
  readonly topicId: number;
  readonly subscriptionId: number;
  /** `sub_` and 32 hexadecimal digits; no later subscription of the name has it. */
  readonly publicId: string;
  readonly name: string;
  readonly topic: string;
  readonly topicPublicId: string;
  readonly start: StartPosition;
  readonly createdAt: Date;
  readonly createdBy: string;
}

/** A tombstone: its ledger and dead letters stay readable by its id. */
export interface DeletedSubscription extends Subscription {
  readonly deletedAt: Date;
  readonly deletedBy: string;
}

/** A subscription's state at one moment; counts are exact at the time of the statement. */
export interface SubscriptionStats {
  /** Messages in the log that were not yet delivered. */
  readonly backlog: number;
  readonly inFlight: number;
  /** Waiting for another attempt. */
  readonly deferred: number;
  /** Open dead letters. */
  readonly deadLetters: number;
  /** Age of the oldest message that this subscription has not settled; null when there is none. */
  readonly oldestUnacknowledgedSeconds: number | null;
}
