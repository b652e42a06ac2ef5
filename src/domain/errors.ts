// Faults that a caller is told about, each with a stable code.
// Expected outcomes (a superseded receipt, an empty receive) are values, not faults. Codes are API
// and never change meaning; texts are for people and may change. A fault carries data in domain
// names; each transport writes names and sentences of its own.

export const errorCodes = [
  'invalid_request',
  'unauthenticated',
  'forbidden',
  'topic_not_found',
  'subscription_not_found',
  'key_not_found',
  'ledger_not_found',
  'topic_conflict',
  'subscription_conflict',
  'ledger_replaced',
  'precondition_failed',
  'idempotency_conflict',
  'message_too_large',
  'rate_limited',
  'too_many_receives',
  'backlog_full',
  'too_much_traffic',
  'overloaded',
  'shutting_down',
  'database_unavailable',
  'database_timeout',
  'internal',
] as const;

export type ErrorCode = (typeof errorCodes)[number];

/** What the faults of a code carry; a code that is not listed carries a sentence. */
export interface FaultData {
  readonly invalid_request: { readonly fields: readonly FieldFault[] };
  readonly topic_not_found: { readonly topic: string };
  readonly subscription_not_found: { readonly subscription: string };
  readonly ledger_not_found: { readonly ledger: string };
  /** The name means another ledger than the one that the cursor is of. */
  readonly ledger_replaced: { readonly subscription: string; readonly ledger: string | null };
  readonly topic_conflict: { readonly topic: string; readonly differing: readonly string[] };
  readonly subscription_conflict: {
    readonly subscription: string;
    readonly differing: readonly string[];
  };
  /** Nothing was published. */
  readonly message_too_large: {
    readonly topic: string;
    readonly maxMessageBytes: number;
    readonly fields: readonly FieldFault[];
  };
  /** Nothing was published. */
  readonly idempotency_conflict: { readonly fields: readonly FieldFault[] };
  /** A subscription of the topic would be further behind than it may; nothing was published. */
  readonly backlog_full: { readonly topic: string };
}

/** A rule that one field of a request breaks. */
export type FieldFault = {
  /** Domain names and indexes, as in `['roles', 0, 'topics']`. */
  readonly path: readonly (string | number)[];
} & (
  | { readonly rule: 'not_reserved'; readonly reserved: readonly string[] }
  | { readonly rule: 'not_prefixed'; readonly prefixes: readonly string[] }
  | { readonly rule: 'message_id' }
  | { readonly rule: 'not_before'; readonly other: string }
  | { readonly rule: 'in_future' }
  /** The value is out of its bounds, or does not go with the others. */
  | { readonly rule: 'in_range' }
  | { readonly rule: 'not_in_future' }
  /** The grant's role has no use for names of this kind. */
  | { readonly rule: 'absent'; readonly role: string }
  /** The grant names nothing of what its role is for. */
  | { readonly rule: 'not_empty'; readonly role: string; readonly kinds: readonly string[] }
  | { readonly rule: 'at_most'; readonly other: string; readonly value: number }
  | { readonly rule: 'bytes_at_most'; readonly bytes: number; readonly topic: string; readonly bytesMax: number }
  /** Must be where a page of the same list ended. */
  | { readonly rule: 'cursor' }
  /** Must be a public key that is taken; `secret`: it is a private one. */
  | { readonly rule: 'public_key'; readonly secret: boolean }
  /** Takes a secret key, which this instance does not have. */
  | { readonly rule: 'needs_secret_key' }
  /** The key was used before, for another body. */
  | { readonly rule: 'one_body_per_key'; readonly key: string }
);

/** One field of a request that is wrong, in a transport's words: where, and what is right. */
export interface FieldError {
  readonly field: string;
  readonly message: string;
}

export interface WillcallErrorOptions {
  readonly cause?: unknown;
  readonly fields?: readonly FieldError[];
  readonly retryAfterSeconds?: number;
}

/** A transport that refuses a request itself has its own sentence for it. */
type Sentenced = Exclude<ErrorCode, keyof FaultData> | 'invalid_request';
type Detail<Code extends ErrorCode> =
  | (Code extends keyof FaultData ? FaultData[Code] : never)
  | (Code extends Sentenced ? string : never);

/**
 * A fault with a stable code, and with the data of its code or a sentence that says what to do
 * next.
 */
export class WillcallError<Code extends ErrorCode = ErrorCode> extends Error {
  readonly code: Code;
  /** Null where the code carries a sentence, which is the message. */
  readonly data: FaultData[keyof FaultData] | null;
  readonly fields: readonly FieldError[];
  /** When the same call may succeed; null where it is not known. */
  readonly retryAfterSeconds: number | null;

  constructor(code: Code, detail: Detail<Code>, options: WillcallErrorOptions = {}) {
    super(typeof detail === 'string' ? detail : code, { cause: options.cause });
    this.name = 'WillcallError';
    this.code = code;
    this.data = typeof detail === 'string' ? null : detail;
    this.fields = options.fields ?? [];
    this.retryAfterSeconds = options.retryAfterSeconds ?? null;
  }
}
