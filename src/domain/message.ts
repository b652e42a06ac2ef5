// Messages: immutable bytes with a content type, attributes and an optional ordering key.

/** What a publisher hands over. */
export interface NewMessage {
  readonly body: Buffer;
  readonly contentType: string | null;
  readonly attributes: Readonly<Record<string, string>> | null;
  readonly orderingKey: string | null;
  /**
   * Within the topic's window the publisher's repetition of it publishes nothing and answers with
   * the original.
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
 * What a publisher gets back; `sequence` is null until a delayed message has entered the log.
 * `duplicate`: the dedupe key was known, and id and sequence are those of the original.
 */
export interface PublishedMessage {
  readonly id: string;
  readonly sequence: number | null;
  readonly duplicate: boolean;
}

/** A message in the hands of a consumer. */
export interface ReceivedMessage {
  readonly id: string;
  readonly sequence: number;
  readonly receipt: string;
  /** The how-manieth delivery of this message to this subscription, from 1. */
  readonly attempt: number;
  readonly body: Buffer;
  readonly contentType: string | null;
  readonly attributes: Readonly<Record<string, string>> | null;
  readonly orderingKey: string | null;
  /** When the message entered the log. */
  readonly publishedAt: Date;
  readonly visibleUntil: Date;
}
