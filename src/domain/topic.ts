// Topics: append-only logs of messages with dense sequence numbers.
// Any number of subscriptions read one.

import { limits } from './limits.ts';

/** Settings of a topic. Durations are whole seconds. */
export interface TopicSettings {
  /** How long a message is kept that some subscription has not settled. */
  readonly retentionSeconds: number;
  /** How long a message is kept that every subscription has settled. */
  readonly retainAcknowledgedSeconds: number;
  /** How long a message stays in the log after it was recorded as expired. */
  readonly expiredRetentionSeconds: number;
  /** How long a dedupe key is remembered. */
  readonly dedupeWindowSeconds: number;
  /** The largest body that publish accepts. */
  readonly maxMessageBytes: number;
  /** The largest backlog of any subscription that a publish may cause; null means no limit. */
  readonly maxBacklog: number | null;
}

export const topicDefaults: TopicSettings = {
  retentionSeconds: limits.retentionSecondsDefault,
  retainAcknowledgedSeconds: limits.retainAcknowledgedSecondsDefault,
  expiredRetentionSeconds: limits.expiredRetentionSecondsDefault,
  dedupeWindowSeconds: limits.dedupeWindowSecondsDefault,
  maxMessageBytes: limits.messageBytesDefault,
  maxBacklog: null,
};

export interface Topic extends TopicSettings {
  readonly topicId: number;
  /** `top_` and 32 hexadecimal digits; no later topic of the name has it. */
  readonly publicId: string;
  readonly name: string;
  readonly createdAt: Date;
  readonly createdBy: string;
}
