// Settings of topics and subscriptions in requests.
// Written by docs/api/write-openapi.ts from the schemas of the API.

export interface TopicSettings {
  /** How long a message is kept that some subscription has not settled. */
  readonly retentionSeconds?: number;
  /** How long a message stays in the log after every subscription has settled it. */
  readonly retainAcknowledgedSeconds?: number;
  /** How long messages that expired undelivered stay in the log after that was recorded. */
  readonly expiredRetentionSeconds?: number;
  /** How long a `dedupe_key` is remembered. */
  readonly dedupeWindowSeconds?: number;
  /** The largest body that publish accepts. */
  readonly maxMessageBytes?: number;
  /** The largest backlog of any subscription that a publish may cause; null means no limit. */
  readonly maxBacklog?: number | null;
}

export interface SubscriptionSettings {
  /** How long a consumer has a message before it may be delivered to another one. */
  readonly visibilityTimeoutSeconds?: number;
  /** The age at which messages become receivable. */
  readonly delaySeconds?: number;
  /** Number of failed attempts after which a message becomes a dead letter. */
  readonly maxAttempts?: number;
  /** Number of deliveries, failed or not, after which a message becomes a dead letter. */
  readonly maxDeliveries?: number;
  readonly retry?: {
    /** The shortest back-off. */
    readonly minBackoffSeconds?: number;
    /** The longest back-off; not below the shortest. */
    readonly maxBackoffSeconds?: number;
  };
  /** Messages that may be in flight at once; null means no limit. */
  readonly maxInFlight?: number | null;
}
