// A topic: an append-only log of messages with dense sequence numbers, read by any number of
// subscriptions.

/** What may be chosen for a topic. Durations are whole seconds. */
export interface TopicSettings {
  /** How long a message that somebody has not acknowledged is kept. */
  readonly retentionSeconds: number;
  /** How long a message that every subscription settled stays for replay and peek. */
  readonly retainAcknowledgedSeconds: number;
  /**
   * How long a message that outlived its retention stays replayable after it was recorded as
   * expired.
   */
  readonly expiredRetentionSeconds: number;
  /** How long a publisher's dedupe key names the message that it was first used for. */
  readonly dedupeWindowSeconds: number;
  /** The largest body that publish accepts. */
  readonly maxMessageBytes: number;
  /** The backlog that no publish may make any subscription exceed; null is no bound. */
  readonly maxBacklog: number | null;
}

export interface Topic extends TopicSettings {
  readonly topicId: number;
  readonly name: string;
  readonly createdAt: Date;
  readonly createdBy: string;
}
