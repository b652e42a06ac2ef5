// Settings of topics and subscriptions in requests.
// Written by docs/api/write-openapi.ts from the schemas of the API.

export interface TopicSettings {
  /** How long a message that somebody has not acknowledged is kept. */
  readonly retentionSeconds?: number;
  /** How long a message that every subscription settled stays in the log. */
  readonly retainAcknowledgedSeconds?: number;
  /** How long messages that expired undelivered stay in the log. */
  readonly expiredRetentionSeconds?: number;
  /** How long a `dedupe_key` is remembered. */
  readonly dedupeWindowSeconds?: number;
  /** The largest body that publish accepts. */
  readonly maxMessageBytes?: number;
  /** The backlog beyond which no publish may bring any subscription; null is no bound. */
  readonly maxBacklog?: number | null;
}

export interface SubscriptionSettings {
  /** How long a consumer has for a message before it goes to somebody else. */
  readonly visibilityTimeoutSeconds?: number;
  /** Messages become receivable when they are this old. */
  readonly delaySeconds?: number;
  /** Failed attempts until a message is a dead letter. */
  readonly maxAttempts?: number;
  /** Deliveries, failed or not, until a message is a dead letter. */
  readonly maxDeliveries?: number;
  readonly retry?: {
    /** The shortest back-off. */
    readonly minBackoffSeconds?: number;
    /** The longest back-off; not below the shortest. */
    readonly maxBackoffSeconds?: number;
  };
  /** Messages that may be in flight at once; null is no bound. */
  readonly maxInFlight?: number | null;
}
