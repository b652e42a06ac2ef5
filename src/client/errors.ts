// What can go wrong with a call, as one class: the service's problem (RFC 9457) with its stable
// code, or no answer at all. Outcomes of receipts are no errors; they are values of the answer.

/** What the service said, in its own words; some codes carry further members. */
export interface Problem {
  readonly type: string;
  readonly title: string;
  readonly status: number;
  readonly detail: string;
  readonly code: string;
  /** What was wrong with an `invalid_request`, field by field. */
  readonly errors?: readonly { readonly field: string; readonly message: string }[];
  readonly [member: string]: unknown;
}

/**
 * Codes of this client's own, beside those of the service: no connection or one that broke; no
 * answer in time; an answer that is not the service's, such as a proxy's page; a receipt whose
 * outcome was not the one wanted (told by `consume`).
 */
export const clientCodes = ['connection_failed', 'timed_out', 'unexpected_answer', 'not_settled'] as const;

export interface WillcallClientErrorOptions {
  readonly status?: number | undefined;
  readonly problem?: Problem | undefined;
  readonly retryAfterSeconds?: number | undefined;
  readonly cause?: unknown;
}

/**
 * A call that did not do what was asked. `code` is stable and the one to branch on; the message is
 * for people.
 */
export class WillcallClientError extends Error {
  /** The problem's code, or one of `clientCodes`. */
  readonly code: string;
  /** The HTTP status; null when there was no answer. */
  readonly status: number | null;
  /** Null when the answer was not a problem document. */
  readonly problem: Problem | null;
  /** How long the service asked to wait; null when it did not. */
  readonly retryAfterSeconds: number | null;

  constructor(code: string, message: string, options: WillcallClientErrorOptions = {}) {
    super(message, { cause: options.cause });
    this.name = 'WillcallClientError';
    this.code = code;
    this.status = options.status ?? null;
    this.problem = options.problem ?? null;
    this.retryAfterSeconds = options.retryAfterSeconds ?? null;
  }
}

/**
 * To be thrown by a handler of `consume` for a message that no further attempt will mend: it goes
 * to the dead letters.
 */
export class Rejection extends Error {
  readonly code: string;

  constructor(code: string, message: string) {
    super(message);
    this.name = 'Rejection';
    this.code = code;
  }
}

/**
 * Whether the same call may succeed later: no answer, too many requests, or a fault on the other
 * side.
 */
export function isTemporary(error: unknown): error is WillcallClientError {
  if (!(error instanceof WillcallClientError)) return false;
  const { status } = error;
  return status === null || status === 408 || status === 429 || status >= 500;
}

/** Whether the call certainly did nothing: it was refused unread, or never reached anybody. */
export function isUndone(error: WillcallClientError): boolean {
  if (error.status === 429) return true;
  const { code } = (error.cause ?? {}) as { code?: unknown };
  return error.status === null && (code === 'ECONNREFUSED' || code === 'ENOTFOUND' || code === 'EAI_AGAIN');
}
