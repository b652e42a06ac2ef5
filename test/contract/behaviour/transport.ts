// A transport as its promises see it: the verbs and records of a service over its wire, in the
// words of the domain. An adapter translates into the wire and back, and adds nothing: no
// repetition, no sorting, no check of its own.

import type { ErrorCode } from '../../../src/domain/errors.ts';
import type { Outcome } from '../../../src/domain/settling.ts';

export interface TopicSettings {
  readonly maxMessageBytes?: number;
  readonly maxBacklog?: number;
}

export interface SubscriptionSettings {
  /** Absent: the topic of the same name, which is made with the subscription. */
  readonly topic?: string;
  readonly visibilityTimeoutSeconds?: number;
  readonly maxAttempts?: number;
  readonly maxDeliveries?: number;
  readonly minBackoffSeconds?: number;
  readonly maxBackoffSeconds?: number;
  readonly maxInFlight?: number;
}

export interface NewMessage {
  readonly body: Buffer;
  readonly contentType?: string;
  readonly attributes?: Readonly<Record<string, string>>;
  readonly orderingKey?: string;
  readonly dedupeKey?: string;
  readonly delaySeconds?: number;
}

export interface PublishedMessage {
  readonly id: string;
  /** Null while the message is scheduled. */
  readonly sequence: number | null;
  readonly duplicate: boolean;
}

export interface ReceiveOptions {
  /** Absent: 0. */
  readonly waitSeconds?: number;
  readonly maxMessages?: number;
  readonly maxBytes?: number;
  readonly visibilityTimeoutSeconds?: number;
  /** Names the call, so that it can be repeated when its answer was lost. */
  readonly idempotencyKey?: string;
}

export interface Delivery {
  readonly id: string;
  readonly sequence: number;
  readonly receipt: string;
  readonly attempt: number;
  readonly body: Buffer;
  readonly contentType: string | null;
  readonly attributes: Readonly<Record<string, string>> | null;
  readonly orderingKey: string | null;
  readonly visibleUntil: Date;
}

export interface AcknowledgeEntry {
  readonly receipt: string;
  readonly reference?: string;
}

export interface ReleaseEntry {
  readonly receipt: string;
  readonly delaySeconds?: number;
  readonly error?: { readonly code: string; readonly message: string };
}

export interface RejectEntry {
  readonly receipt: string;
  readonly error?: { readonly code: string; readonly message: string };
}

export interface SettledReceipt {
  readonly receipt: string;
  readonly messageId: string | null;
  readonly outcome: Outcome;
  /** Of the row in the ledger; null when there is none. */
  readonly ackNo: number | null;
  /** After an extend. */
  readonly visibleUntil: Date | null;
}

export interface DeadLetter {
  readonly messageId: string | null;
  readonly sequence: number;
  readonly reason: string;
  readonly body: Buffer | null;
  readonly history: readonly { readonly attempt: number; readonly ended: string; readonly errorCode: string | null }[];
}

export interface LedgerRow {
  readonly ackNo: number;
  readonly messageId: string;
  readonly sequence: number;
  readonly bodySha256: string;
  readonly bodyBytes: number;
  readonly attempt: number;
  readonly reference: string | null;
  readonly late: boolean;
}

export interface SubscriptionStats {
  readonly backlog: number;
  readonly inFlight: number;
  readonly deferred: number;
  readonly deadLetters: number;
}

/** A call that was refused as a whole, with the code of the domain that the answer stands for. */
export class TransportRefusal extends Error {
  readonly code: ErrorCode;

  constructor(code: ErrorCode, message: string) {
    super(message);
    this.name = 'TransportRefusal';
    this.code = code;
  }
}

/**
 * Every call rejects with a TransportRefusal when the service refuses it. Answers are in the order
 * of the request.
 */
export interface TransportClient {
  createTopic(topic: string, settings?: TopicSettings): Promise<void>;
  createSubscription(subscription: string, settings?: SubscriptionSettings): Promise<void>;
  publish(topic: string, messages: readonly NewMessage[]): Promise<readonly PublishedMessage[]>;
  receive(subscription: string, options?: ReceiveOptions): Promise<readonly Delivery[]>;
  acknowledge(
    subscription: string,
    entries: readonly AcknowledgeEntry[],
    options?: { readonly atomic?: boolean },
  ): Promise<readonly SettledReceipt[]>;
  release(subscription: string, entries: readonly ReleaseEntry[]): Promise<readonly SettledReceipt[]>;
  /** `visibilityTimeoutSeconds` absent: that of the subscription. */
  extend(
    subscription: string,
    receipts: readonly string[],
    visibilityTimeoutSeconds?: number,
  ): Promise<readonly SettledReceipt[]>;
  reject(subscription: string, entries: readonly RejectEntry[]): Promise<readonly SettledReceipt[]>;
  /** All of them, oldest first. A transport without this record reads it by REST. */
  deadLetters(subscription: string): Promise<readonly DeadLetter[]>;
  /** All rows. A transport without this record reads it by REST. */
  ledger(subscription: string): Promise<readonly LedgerRow[]>;
  /** A transport without them reads them by REST. */
  stats(subscription: string): Promise<SubscriptionStats>;
}

export interface OpenTransport {
  readonly client: TransportClient;
  /** Stops the service; rejects when it logged an error. */
  close(): Promise<void>;
}

/** What a transport brings to be held to the promises. */
export interface Adapter<Name extends string = string> {
  /** As a title of its tests. */
  readonly transport: string;
  /** The promises that this wire cannot make, each with the reason. Everything else is tested. */
  readonly cannot: Readonly<Partial<Record<Name, string>>>;
  /** Starts a service of its own. */
  open(): Promise<OpenTransport>;
}
