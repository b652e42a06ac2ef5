// The ledger and the dead letters, as auditors and operators read them.

/** The ledger of one subscription, living or deleted. */
export interface Ledger {
  readonly topicId: number;
  readonly subscriptionId: number;
  /** The subscription's, `sub_…`: a later subscription of the name has another. */
  readonly publicId: string;
  readonly subscription: string;
  readonly topic: string;
  readonly topicPublicId: string;
  readonly deletedAt: Date | null;
  readonly deletedBy: string | null;
}

/** Where a record belongs. */
export interface RecordNames {
  readonly topic: string;
  readonly topicPublicId: string;
  readonly subscription: string;
  readonly subscriptionPublicId: string;
}

/** One row of the ledger: who acknowledged what, when, on which attempt. It stands on its own. */
export interface Acknowledgment extends RecordNames {
  /** Dense per subscription, from 1, in time order. */
  readonly ackNo: number;
  readonly messageId: string;
  readonly sequence: number;
  readonly generation: number;
  readonly revision: number;
  readonly bodySha256: Buffer;
  readonly bodyBytes: number;
  readonly publishedAt: Date;
  readonly deliveryNo: number;
  readonly deliveredAt: Date;
  readonly attempt: number;
  readonly acknowledgedAt: Date;
  /** Null to a reader who may not know: another client signed. So are the next five then. */
  readonly acknowledgedBy: string | null;
  /** The key that signed; null for the admin key. */
  readonly keyId: string | null;
  /** Null in rows from before this was kept. */
  readonly publishedBy: string | null;
  readonly reference: string | null;
  /** With the reference, what its commitment is made of: sha256(2, salt, reference). */
  readonly referenceSalt: Buffer | null;
  /** The commitment to a reference that was erased. */
  readonly referenceDigest: Buffer | null;
  /** True when the lease had already expired. */
  readonly late: boolean;
}

/** A message of the log that was published by a time and not acknowledged by then. */
export interface UnacknowledgedMessage {
  readonly sequence: number;
  readonly messageId: string;
  readonly publishedAt: Date;
  readonly publishedBy: string;
  readonly bodyBytes: number;
  readonly bodySha256: Buffer;
  /** When it was acknowledged after that time; null when it was not. */
  readonly acknowledgedAt: Date | null;
  /** Of its dead letter; null when it never became one. */
  readonly deadLetterNo: number | null;
}

export const deadLetterReasons = ['max_attempts', 'max_deliveries', 'rejected', 'retention', 'expired'] as const;

/**
 * Why a message was set aside. `retention`: tried and failed, then too old; `expired`: a range of
 * messages that were not delivered within the topic's retention.
 */
export type DeadLetterReason = (typeof deadLetterReasons)[number];

/** One attempt that did not end in an acknowledgment. */
export interface FailedAttempt {
  readonly attempt: number;
  readonly ended: 'expired' | 'released' | 'rejected';
  readonly deliveredAt: Date;
  readonly endedAt: Date;
  readonly endedBy: string | null;
  readonly errorCode: string | null;
  readonly errorMessage: string | null;
}

/**
 * A quarantined message with a full copy of it, or (`reason` is `expired`) a range of messages that
 * were not collected.
 */
export interface DeadLetter extends RecordNames {
  readonly deadLetterNo: number;
  readonly reason: DeadLetterReason;
  readonly deadAt: Date;
  readonly sequence: number;
  /** The last sequence of an expired range; equal to `sequence` for a single message. */
  readonly sequenceLast: number;
  /** How many messages it stands for. */
  readonly messageCount: number;
  /** What follows is null for a range. */
  readonly messageId: string | null;
  readonly attempts: number | null;
  readonly body: Buffer | null;
  readonly contentType: string | null;
  readonly attributes: Readonly<Record<string, string>> | null;
  readonly orderingKey: string | null;
  readonly publishedAt: Date | null;
  readonly history: readonly FailedAttempt[];
}

/** A row as a reader gets it who may know only what its own client signed. */
export function withoutOthers(row: Acknowledgment, client: string): Acknowledgment {
  if (row.acknowledgedBy === client) return row;
  return {
    ...row,
    acknowledgedBy: null,
    keyId: null,
    publishedBy: null,
    reference: null,
    referenceSalt: null,
    referenceDigest: null,
  };
}

/** A dead letter without the names and words of other clients. */
export function withoutOthersAttempts(letter: DeadLetter, client: string): DeadLetter {
  const history = letter.history.map((attempt) => {
    if (attempt.endedBy === null || attempt.endedBy === client) return attempt;
    return { ...attempt, endedBy: null, errorCode: null, errorMessage: null };
  });
  return { ...letter, history };
}
