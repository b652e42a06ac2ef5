// Faults that a caller can be told about. Expected outcomes (a superseded receipt, an empty
// receive) are values, not faults. Codes are API and never change meaning; messages are for people
// and may.

export const errorCodes = [
  'invalid_request',
  'unauthenticated',
  'forbidden',
  'topic_not_found',
  'subscription_not_found',
  'key_not_found',
  'topic_conflict',
  'subscription_conflict',
  'idempotency_conflict',
  'message_too_large',
  'nothing_settled',
  'atomic_refused',
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

/**
 * One field of a request that is wrong: where (a path such as `messages[3].body`) and what would be
 * right.
 */
export interface FieldError {
  readonly field: string;
  readonly message: string;
}

export interface WillcallErrorOptions {
  readonly cause?: unknown;
  readonly fields?: readonly FieldError[];
  readonly retryAfterSeconds?: number;
}

/**
 * A fault with a stable code; the message says what to do next. `fields` names what was wrong with
 * a request.
 */
export class WillcallError extends Error {
  readonly code: ErrorCode;
  readonly fields: readonly FieldError[];
  /** When the same call may succeed; null where nobody knows. */
  readonly retryAfterSeconds: number | null;

  constructor(code: ErrorCode, message: string, options: WillcallErrorOptions = {}) {
    super(message, { cause: options.cause });
    this.name = 'WillcallError';
    this.code = code;
    this.fields = options.fields ?? [];
    this.retryAfterSeconds = options.retryAfterSeconds ?? null;
  }
}
