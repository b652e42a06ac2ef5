// Requests and answers in the words of the API (docs/api), in camelCase.
// Times are RFC 3339 strings in UTC; durations are whole seconds.

import type { SubscriptionSettings, TopicSettings } from './settings.ts';

export type { SubscriptionSettings, TopicSettings } from './settings.ts';

export interface NewMessage {
  /** Text, or bytes. */
  readonly body: string | Uint8Array;
  readonly contentType?: string;
  readonly attributes?: Readonly<Record<string, string>>;
  readonly orderingKey?: string;
  /** Makes a publish repeatable: within the topic's window, the same key is the same message. */
  readonly dedupeKey?: string;
  readonly delaySeconds?: number;
  readonly deliverAt?: string;
}

export interface PublishedMessage {
  readonly id: string;
  /** Null until a delayed message is due. */
  readonly sequence: number | null;
  /** The dedupe key was known: this is the message that it was first used for. */
  readonly duplicate: boolean;
}

export interface ReceivedMessage {
  /** The same on every attempt; identifies the message. */
  readonly id: string;
  readonly sequence: number;
  /** Settles this delivery of the message only. */
  readonly receipt: string;
  /** Counts deliveries, from 1. */
  readonly attempt: number;
  /** See `bytesOf`. */
  readonly body: string;
  readonly bodyEncoding: 'utf8' | 'base64';
  readonly contentType: string | null;
  readonly attributes: Readonly<Record<string, string>> | null;
  readonly orderingKey: string | null;
  readonly publishedAt: string;
  readonly visibleUntil: string;
}

export interface ReceiveRequest {
  readonly maxMessages?: number;
  readonly maxBytes?: number;
  /** 0 to 30. */
  readonly waitSeconds?: number;
  readonly visibilityTimeoutSeconds?: number;
  /** Receipts of the last batch, acknowledged before the call waits. */
  readonly acknowledge?: readonly AcknowledgeEntry[];
}

export interface ReceiveAnswer {
  readonly messages: readonly ReceivedMessage[];
  /** One result per receipt of `acknowledge`, in order. */
  readonly acknowledged: readonly SettleResult[];
}

export type Outcome =
  | 'acknowledged'
  | 'acknowledged_late'
  | 'released'
  | 'extended'
  | 'rejected'
  | 'already_acknowledged'
  | 'already_released'
  | 'already_rejected'
  | 'superseded'
  | 'dead_lettered'
  | 'gone'
  | 'invalid_receipt'
  | 'not_done';

/** A receipt, or one with a transaction number of the consumer's own for the ledger. */
export type AcknowledgeEntry = string | { readonly receipt: string; readonly reference?: string };

/** Why a message is released or rejected. */
export interface ConsumerError {
  readonly code: string;
  readonly message?: string;
}

export type ReleaseEntry =
  | string
  | { readonly receipt: string; readonly delaySeconds?: number; readonly error?: ConsumerError };
export type RejectEntry = string | { readonly receipt: string; readonly error?: ConsumerError };

/** What became of one receipt; what its outcome does not have is null or missing. */
export interface SettleResult {
  readonly receipt: string;
  /** With an acknowledge. */
  readonly topic?: string;
  readonly subscription?: string;
  readonly messageId: string | null;
  readonly outcome: Outcome;
  readonly ackNo?: number | null;
  readonly acknowledgedAt?: string | null;
  /** What the ledger keeps, which is the first one given. */
  readonly reference?: string | null;
  /** Acknowledged before, with another reference than this time. */
  readonly referenceDiffers?: boolean;
  readonly visibleUntil?: string;
}

/** One result per receipt, in order; `failed` is the number of those that are not ok. */
export interface SettleAnswer {
  readonly results: readonly SettleResult[];
  readonly failed: number;
}

export interface Topic extends Required<TopicSettings> {
  readonly name: string;
  /** No later topic of the name has it. */
  readonly id: string;
  readonly createdAt: string;
  readonly createdBy: string;
}

/** `topic` and `start` can be set at creation only. */
export interface NewSubscription extends SubscriptionSettings {
  readonly topic?: string;
  /** `earliest`, `latest`, or a time. */
  readonly start?: string;
}

export interface Subscription extends Required<SubscriptionSettings> {
  readonly name: string;
  /** No later subscription of the name has it. */
  readonly id: string;
  readonly topic: string;
  readonly topicId: string;
  readonly start: string;
  readonly createdAt: string;
  readonly createdBy: string;
}

export interface SubscriptionStats {
  readonly backlog: number;
  readonly inFlight: number;
  readonly deferred: number;
  readonly deadLetters: number;
  readonly oldestUnacknowledgedSeconds: number | null;
}

/** A row of the ledger. */
/** Where a record belongs. */
export interface RecordNames {
  readonly topic: string;
  readonly topicId: string;
  readonly subscription: string;
  readonly subscriptionId: string;
}

export interface Acknowledgment extends RecordNames {
  readonly ackNo: number;
  readonly messageId: string;
  readonly sequence: number;
  readonly generation: number;
  readonly revision: number;
  /** Hexadecimal. */
  readonly bodySha256: string;
  readonly bodyBytes: number;
  readonly publishedAt: string;
  readonly deliveryNo: number;
  readonly deliveredAt: string;
  readonly attempt: number;
  readonly acknowledgedAt: string;
  /** Null where another client signed and the key reads only its own; so are the next five then. */
  readonly acknowledgedBy: string | null;
  /** Null for the admin key. */
  readonly keyId: string | null;
  readonly publishedBy: string | null;
  readonly reference: string | null;
  /** Hexadecimal. */
  readonly referenceSalt: string | null;
  /** Hexadecimal; of an erased reference. */
  readonly referenceDigest: string | null;
  readonly late: boolean;
}

export interface FailedAttempt {
  readonly attempt: number;
  readonly ended: 'expired' | 'released' | 'rejected';
  readonly deliveredAt: string;
  readonly endedAt: string;
  readonly endedBy: string | null;
  readonly error: { readonly code: string; readonly message: string | null } | null;
}

export type DeadLetterReason = 'max_attempts' | 'max_deliveries' | 'rejected' | 'retention' | 'expired';

/**
 * A message that was set aside, or (reason `expired`) a range of messages that were not collected.
 */
export interface DeadLetter extends RecordNames {
  readonly deadLetterNo: number;
  readonly reason: DeadLetterReason;
  readonly deadAt: string;
  readonly sequence: number;
  readonly sequenceLast: number;
  readonly messageCount: number;
  readonly messageId: string | null;
  readonly attempts: number | null;
  readonly body: string | null;
  readonly bodyEncoding: 'utf8' | 'base64' | null;
  readonly contentType: string | null;
  readonly attributes: Readonly<Record<string, string>> | null;
  readonly orderingKey: string | null;
  readonly publishedAt: string | null;
  readonly history: readonly FailedAttempt[];
}

export type Role = 'publisher' | 'consumer' | 'operator' | 'auditor' | 'admin';

/** A role on names: exact, or their beginning and `*`. */
export interface Grant {
  readonly role: Role;
  readonly topics?: readonly string[];
  readonly subscriptions?: readonly string[];
}

export interface NewKey {
  /** Whose key it is; the records name this client. */
  readonly client: string;
  readonly roles: readonly Grant[];
  readonly expiresAt?: string | null;
  /** On average and on each instance; 0 is no bound, null or absent what the instance sets. */
  readonly requestsPerSecond?: number | null;
  /** JSON Web Keys, with which signatures of its holder are verified. */
  readonly publicKeys?: readonly Readonly<Record<string, unknown>>[] | null;
}

export interface ApiKey {
  readonly id: string;
  readonly client: string;
  readonly roles: readonly Required<Grant>[];
  readonly expiresAt: string | null;
  /** 0 is no bound, null what the instance sets. */
  readonly requestsPerSecond: number | null;
  readonly publicKeys: readonly Readonly<Record<string, string>>[] | null;
  readonly createdAt: string;
  readonly createdBy: string;
  readonly revokedAt: string | null;
  readonly revokedBy: string | null;
  /** Exact to the minute. */
  readonly lastUsedAt: string | null;
}

/** `key` is shown this once. */
export interface CreatedKey extends ApiKey {
  readonly key: string;
}

export interface KeysPage {
  readonly limit?: number;
  readonly after?: string;
  readonly client?: string;
}

/** A page by name; `after` is the `next` of the page before. */
export interface NamePage {
  readonly limit?: number;
  readonly after?: string;
}

/** A page of a ledger's records. */
export interface LedgerPage {
  readonly topic: string;
  readonly topicId: string;
  readonly subscription: string;
  readonly subscriptionId: string;
  /** Where to read on, also from the end. */
  readonly next: string;
  readonly hasMore: boolean;
}

export interface AcknowledgmentsPage {
  readonly limit?: number;
  /** The `next` of a page. */
  readonly after?: string | number;
  readonly from?: string;
  readonly until?: string;
  readonly messageId?: string;
  readonly acknowledgedBy?: string;
  readonly keyId?: string;
  readonly reference?: string;
  readonly bodySha256?: string;
}

/** Over many ledgers. */
export interface AcknowledgmentsSearch extends Omit<AcknowledgmentsPage, 'after'> {
  readonly after?: string;
  readonly topic?: string;
}

export interface UnacknowledgedPage {
  readonly limit?: number;
  readonly after?: string | number;
  readonly from?: string;
  /** Now, if absent. */
  readonly by?: string;
}

export interface UnacknowledgedMessage {
  readonly messageId: string;
  readonly sequence: number;
  readonly publishedAt: string;
  readonly publishedBy: string;
  readonly bodyBytes: number;
  /** Hexadecimal. */
  readonly bodySha256: string;
  /** After the time that was asked for. */
  readonly acknowledgedAt: string | null;
  readonly deadLetterNo: number | null;
}

export interface DeadLettersPage {
  readonly limit?: number;
  /** The `next` of a page. */
  readonly after?: string | number;
  readonly reason?: DeadLetterReason;
}
