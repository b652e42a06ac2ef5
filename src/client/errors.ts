// Errors of calls, as one class: the service's problem document (RFC 9457), or no answer at all.
// Its codes are stable. Outcomes of receipts are not errors; they are values of the answer.

/** A problem document of the service; some codes carry further members. */
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
 * outcome was not the one wanted (reported by `consume`).
 */
export const clientCodes = ['connection_failed', 'timed_out', 'unexpected_answer', 'not_settled'] as const;

export interface WillcallClientErrorOptions {
  readonly status?: number | undefined;
  readonly problem?: Problem | undefined;
  readonly retryAfterSeconds?: number | undefined;
  readonly cause?: unknown;
}

/** A failed call. Branch on `code`, which is stable; the message is for people. */
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
 * Thrown by a handler of `consume` for a message that no further attempt can process; the message
 * becomes a dead letter.
 */
export class Rejection extends Error {
  readonly code: string;

  constructor(code: string, message: string) {
    super(message);
    this.name = 'Rejection';
    this.code = code;
  }
}

/** True when the same call may succeed later: no answer, 408, 429, or 5xx. */
export function isTemporary(error: unknown): error is WillcallClientError {
  if (!(error instanceof WillcallClientError)) return false;
  const { status } = error;
  return status === null || status === 408 || status === 429 || status >= 500;
}

/** True when the call certainly had no effect: refused unread, or never connected. */
export function isUndone(error: WillcallClientError): boolean {
  if (error.status === 429) return true;
  const { code } = (error.cause ?? {}) as { code?: unknown };
  return error.status === null && (code === 'ECONNREFUSED' || code === 'ENOTFOUND' || code === 'EAI_AGAIN');
}
