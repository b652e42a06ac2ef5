// Settling: the outcomes of a receipt. Their order of evaluation is in docs/message-life.md.

export const settleVerbs = ['acknowledge', 'release', 'extend', 'reject'] as const;
export type SettleVerb = (typeof settleVerbs)[number];

export const outcomes = [
  'acknowledged',
  'acknowledged_late',
  'released',
  'extended',
  'rejected',
  'already_acknowledged',
  'already_released',
  'already_rejected',
  'superseded',
  'dead_lettered',
  'gone',
  'invalid_receipt',
  'not_done',
] as const;

/** `not_done`: the receipt was valid, but the atomic call was refused because of another one. */
export type Outcome = (typeof outcomes)[number];

const okOutcomes: Record<SettleVerb, ReadonlySet<Outcome>> = {
  acknowledge: new Set(['acknowledged', 'acknowledged_late', 'already_acknowledged']),
  release: new Set(['released', 'already_released']),
  extend: new Set(['extended']),
  reject: new Set(['rejected', 'already_rejected']),
};

/** Whether the outcome is what the caller of the verb wanted. */
export function isOk(verb: SettleVerb, outcome: Outcome): boolean {
  return okOutcomes[verb].has(outcome);
}

/** Why a consumer released or rejected a message, as it said itself. */
export interface ConsumerError {
  readonly code: string;
  readonly message: string | null;
}

export interface AcknowledgeEntry {
  readonly receipt: string;
  /** The vendor's own transaction number, kept in the ledger. */
  readonly reference: string | null;
}

export interface ReleaseEntry {
  readonly receipt: string;
  /** Seconds until the next delivery; null is at once, or the back-off when there is an error. */
  readonly delaySeconds: number | null;
  readonly error: ConsumerError | null;
}

export interface ExtendEntry {
  readonly receipt: string;
}

export interface RejectEntry {
  readonly receipt: string;
  readonly error: ConsumerError | null;
}

/** One receipt's outcome. Fields that the outcome does not have are null. */
export interface SettleResult {
  readonly receipt: string;
  readonly topic: string;
  readonly subscription: string;
  /** Null only for a receipt that cannot be read or found. */
  readonly messageId: string | null;
  readonly outcome: Outcome;
  readonly ackNo: number | null;
  readonly acknowledgedAt: Date | null;
  /** What the ledger keeps with the acknowledgment. */
  readonly reference: string | null;
  /** The message was acknowledged before, with another reference than the given one. */
  readonly referenceDiffers: boolean;
  /** After an extend: the new end of the lease. */
  readonly visibleUntil: Date | null;
}

export interface SettleAnswer {
  /** In the order of the request. */
  readonly results: readonly SettleResult[];
  /** How many are not ok for the verb. */
  readonly failed: number;
  /** An atomic call in which a receipt was not ok, so that nothing was done. */
  readonly refused: boolean;
}
