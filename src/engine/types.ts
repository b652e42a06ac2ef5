// What the engine offers to doors: requests and answers of every verb, in domain words. A door parses into these and
// shapes its own answer out of them; no status code, no wire name and no SQL appears here.

import type { Access, Grant } from '../domain/access.ts';
import type { ApiKey, Credentials } from '../domain/api-key.ts';
import type { Allowance } from '../domain/fair-use.ts';
import type { Acknowledgment, DeadLetter, DeadLetterReason } from '../domain/ledger.ts';
import type { NewMessage, PublishedMessage, ReceivedMessage } from '../domain/message.ts';
import type {
  AcknowledgeEntry,
  ExtendEntry,
  RejectEntry,
  ReleaseEntry,
  SettleAnswer,
  SettleResult,
} from '../domain/settling.ts';
import type { StartPosition, Subscription, SubscriptionSettings, SubscriptionStats } from '../domain/subscription.ts';
import type { Topic, TopicSettings } from '../domain/topic.ts';
import type { CallerSignal } from './waiting/abort-signal.ts';

/** Who is calling, as the door established it; stamped on every record, never taken from a request's body. */
export type Principal = string;

/** Only what the caller said; what is absent takes its default on creation and stays as it is on change. */
export type TopicChanges = { readonly [K in keyof TopicSettings]?: TopicSettings[K] | undefined };
export type SubscriptionChanges = { readonly [K in keyof SubscriptionSettings]?: SubscriptionSettings[K] | undefined };

export interface CreateTopicRequest {
  readonly name: string;
  readonly settings: TopicChanges;
  readonly caller: Principal;
}

export interface CreateSubscriptionRequest {
  readonly name: string;
  /** Absent: a topic of the same name, which is created when there is none. A named topic must exist. */
  readonly topic?: string | undefined;
  readonly start?: StartPosition | undefined;
  readonly settings: SubscriptionChanges;
  readonly caller: Principal;
}

export interface PublishRequest {
  readonly topic: string;
  /** 1 to `limits.publishMessagesMax`; all of them are published or none. */
  readonly messages: readonly NewMessage[];
  readonly caller: Principal;
}

export interface ReceiveRequest {
  readonly subscription: string;
  readonly maxMessages: number;
  readonly maxBytes: number;
  /** 0 answers at once. */
  readonly waitSeconds: number;
  /** Absent: the subscription's own. */
  readonly visibilityTimeoutSeconds?: number | undefined;
  /** Receipts of the last batch, settled (and committed) before the receive parks. */
  readonly acknowledge: readonly AcknowledgeEntry[];
  /**
   * For a repetition whose first answer was lost: while a lease of the delivery lives that the caller got under this key,
   * what is outstanding of it is handed out again, with the same receipts and a new visibility timeout.
   */
  readonly idempotencyKey?: string | undefined;
  readonly caller: Principal;
  /** The key that was shown: when it ends, so does the wait. Absent or null for one that does not end. */
  readonly keyId?: string | null | undefined;
  /** Aborted when the client went away: it is forgotten before anything is leased to it. */
  readonly signal: CallerSignal;
}

export interface ReceiveAnswer {
  readonly messages: readonly ReceivedMessage[];
  readonly acknowledged: readonly SettleResult[];
}

interface SettleRequest<Entry> {
  readonly subscription: string;
  readonly receipts: readonly Entry[];
  readonly caller: Principal;
}

export interface AcknowledgeRequest extends SettleRequest<AcknowledgeEntry> {
  readonly atomic: boolean;
}
export type ReleaseRequest = SettleRequest<ReleaseEntry>;
export interface ExtendRequest extends SettleRequest<ExtendEntry> {
  /** Absent: the subscription's own. Counted from now. */
  readonly visibilityTimeoutSeconds?: number | undefined;
}
export type RejectRequest = SettleRequest<RejectEntry>;

/** Keyset page: `after` is the `next` of the page before. */
export interface PageRequest<Key> {
  readonly limit: number;
  readonly after?: Key | undefined;
}

/** Of topics or subscriptions, in order of name. */
export interface NamePageRequest extends PageRequest<string> {
  /** Shows only names that one of these scopes covers. Absent: all. */
  readonly scopes?: readonly string[] | undefined;
}

export interface CreateKeyRequest {
  /** Whose key it is: the principal of what is done with it. */
  readonly client: string;
  readonly roles: readonly Grant[];
  /** Absent or null: never. */
  readonly expiresAt?: Date | null | undefined;
  /** 0 is no bound. Absent or null: what the instance sets. */
  readonly requestsPerSecond?: number | null | undefined;
  readonly caller: Principal;
}

export interface KeyQuery extends PageRequest<string> {
  readonly client?: string | undefined;
}

export interface AcknowledgmentQuery extends PageRequest<number> {
  readonly subscription: string;
  /** Inclusive. */
  readonly from?: Date | undefined;
  /** Exclusive. */
  readonly until?: Date | undefined;
  readonly messageId?: string | undefined;
  readonly acknowledgedBy?: string | undefined;
}

export interface DeadLetterQuery extends PageRequest<number> {
  readonly subscription: string;
  readonly reason?: DeadLetterReason | undefined;
}

/** The verbs. All may throw WillcallError; each says which codes beyond `database_*` and `overloaded`. */
export interface Engine {
  /**
   * Whose credentials these are, and what they open; null when nobody's, or when the key was revoked or has expired.
   * Answers without a promise where the instance remembers the key. What a caller may do is for the door to check
   * (`checkAccess`), before it calls a verb.
   */
  authenticate(credentials: Credentials): Access | null | Promise<Access | null>;
  /**
   * Counts a call against the rate of its key; null where calls are not counted. A door asks once per request, before
   * it reads more than it must, tells the caller what is left, and refuses what is not admitted (`rate_limited`).
   */
  admit(access: Access): Allowance | null;
  /** Makes a key; `key` is its text, which is known to nobody afterwards. Throws `invalid_request`. */
  createKey(request: CreateKeyRequest): Promise<{ apiKey: ApiKey; key: string }>;
  /** Revoked and expired ones too. Throws `key_not_found`. */
  getKey(keyId: string): Promise<ApiKey>;
  /** In the order of their making. */
  listKeys(query: KeyQuery): Promise<{ keys: readonly ApiKey[]; next: string | null }>;
  /** Ends the key on every instance within a second; changes nothing when repeated. Throws `key_not_found`. */
  revokeKey(keyId: string, caller: Principal): Promise<void>;

  /** Creates, or returns the existing topic if every given setting agrees. Throws `topic_conflict`. */
  createTopic(request: CreateTopicRequest): Promise<{ topic: Topic; created: boolean }>;
  /** Throws `topic_not_found`. */
  getTopic(name: string): Promise<Topic>;
  /** In order of name. */
  listTopics(page: NamePageRequest): Promise<{ topics: readonly Topic[]; next: string | null }>;
  /** Throws `topic_not_found`. */
  updateTopic(request: CreateTopicRequest): Promise<Topic>;
  /** Deletes the topic and its subscriptions; the ledger stays. Throws `topic_not_found`. */
  deleteTopic(name: string, caller: Principal): Promise<void>;

  /** Creates, or returns the existing one if what is given agrees. Throws `topic_not_found`, `subscription_conflict`. */
  createSubscription(request: CreateSubscriptionRequest): Promise<{ subscription: Subscription; created: boolean }>;
  /** Throws `subscription_not_found`. */
  getSubscription(name: string): Promise<{ subscription: Subscription; stats: SubscriptionStats }>;
  /** In order of name. */
  listSubscriptions(page: NamePageRequest): Promise<{ subscriptions: readonly Subscription[]; next: string | null }>;
  /** Throws `subscription_not_found`. */
  updateSubscription(request: {
    name: string;
    settings: SubscriptionChanges;
    caller: Principal;
  }): Promise<Subscription>;
  /** Throws `subscription_not_found`. */
  deleteSubscription(name: string, caller: Principal): Promise<void>;

  /** In the order of the request. Throws `topic_not_found`, `message_too_large`, `idempotency_conflict`, `backlog_full`. */
  publish(request: PublishRequest): Promise<readonly PublishedMessage[]>;
  /** Throws `subscription_not_found`, `too_many_receives`, `shutting_down`. */
  receive(request: ReceiveRequest): Promise<ReceiveAnswer>;
  /** Each of the four: outcomes are values; throws `subscription_not_found`. */
  acknowledge(request: AcknowledgeRequest): Promise<SettleAnswer>;
  release(request: ReleaseRequest): Promise<SettleAnswer>;
  extend(request: ExtendRequest): Promise<SettleAnswer>;
  reject(request: RejectRequest): Promise<SettleAnswer>;

  /** In order of `ackNo`; works for deleted subscriptions too. Throws `subscription_not_found`. */
  listAcknowledgments(
    query: AcknowledgmentQuery,
  ): Promise<{ acknowledgments: readonly Acknowledgment[]; next: number | null }>;
  /** Open dead letters in order of `deadLetterNo`. Throws `subscription_not_found`. */
  listDeadLetters(query: DeadLetterQuery): Promise<{ deadLetters: readonly DeadLetter[]; next: number | null }>;

  /** Resolves when the database answers; throws `database_unavailable`, `shutting_down`. */
  checkReadiness(): Promise<void>;
}
