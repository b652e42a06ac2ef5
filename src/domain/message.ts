// Messages: immutable bytes with a content type, attributes and an optional ordering key.

/** A message to publish. */
export interface NewMessage {
  readonly body: Buffer;
  readonly contentType: string | null;
  readonly attributes: Readonly<Record<string, string>> | null;
  readonly orderingKey: string | null;
  /**
   * Within the topic's window, a second message of this publisher with the same key is not
   * published; the answer names the first one.
   */
  readonly dedupeKey: string | null;
  /**
   * Seconds until the message enters the log; null is now. At most one of delaySeconds and
   * deliverAt is set.
   */
  readonly delaySeconds: number | null;
  readonly deliverAt: Date | null;
}

/**
 * A published message; `sequence` is null until a delayed message has entered the log.
 * `duplicate`: the dedupe key was known, and id and sequence are those of the original.
 */
export interface PublishedMessage {
  readonly id: string;
  readonly sequence: number | null;
  readonly duplicate: boolean;
}

/** A message as delivered to a consumer. */
export interface ReceivedMessage {
  readonly id: string;
  readonly sequence: number;
  readonly receipt: string;
  /** Number of this delivery of the message to the subscription, counting from 1. */
  readonly attempt: number;
  readonly body: Buffer;
  readonly contentType: string | null;
  readonly attributes: Readonly<Record<string, string>> | null;
  readonly orderingKey: string | null;
  /** When the message entered the log. */
  readonly publishedAt: Date;
  readonly visibleUntil: Date;
}
