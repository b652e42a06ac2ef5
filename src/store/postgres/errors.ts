// Error translation: from what pg and PostgreSQL throw to WillcallError. SQLSTATEs are read here
// and nowhere else (https://www.postgresql.org/docs/current/errcodes-appendix.html).

import { WillcallError } from '../../domain/errors.ts';

const DEADLOCK = '40P01';
const SERIALIZATION_FAILURE = '40001';
const LOCK_NOT_AVAILABLE = '55P03';
const STATEMENT_CANCELLED = '57014';
const UNIQUE_VIOLATION = '23505';
const CHECK_VIOLATION = '23514';

/**
 * The field of a request that a check of the tables judges, by the check's name. Transports judge
 * the same bounds first; this is for what only the database sees, such as a race, and for callers
 * of the engine that judged less. What violates any other constraint is a fault of ours.
 */
const fieldOfConstraint: Readonly<Record<string, string>> = {
  topic_retention_is_positive: 'retentionSeconds',
  topic_max_message_bytes_in_range: 'maxMessageBytes',
  topic_dedupe_window_in_range: 'dedupeWindowSeconds',
  topic_max_backlog_positive: 'maxBacklog',
  subscription_visibility_in_range: 'visibilityTimeoutSeconds',
  subscription_delay_not_negative: 'delaySeconds',
  subscription_bounds_positive: 'maxAttempts',
  subscription_backoff_ordered: 'minBackoffSeconds',
  api_key_client_named: 'client',
  api_key_has_roles: 'roles',
  api_key_rate_in_range: 'requestsPerSecond',
};

/** Whether the statement certainly did nothing and may succeed when it is tried again at once. */
export function isRetryable(error: unknown): boolean {
  const code = sqlState(error);
  return code === DEADLOCK || code === SERIALIZATION_FAILURE || code === LOCK_NOT_AVAILABLE;
}

/**
 * Whether the server refused a statement alone, so that its connection is good for the next one.
 */
export function keepsConnectionUsable(error: unknown): boolean {
  return /^(22|23|40|55|57014|P0)/.test(sqlState(error));
}

/** Whether only a running server that takes connections can have said so, if only "too many". */
export function provesServerUp(error: unknown): boolean {
  return error instanceof Error && 'severity' in error && !/^(08|57P)/.test(sqlState(error));
}

/** Whether a unique key of that name was violated. */
export function violates(error: unknown, constraint: string): boolean {
  return sqlState(error) === UNIQUE_VIOLATION && constraintOf(error) === constraint;
}

/** The fault to report to a caller; the original error is its cause. */
export function toWillcallError(error: unknown): WillcallError {
  if (error instanceof WillcallError) return error;
  const code = sqlState(error);
  if (code === CHECK_VIOLATION) {
    const field = fieldOfConstraint[constraintOf(error)];
    if (field !== undefined) {
      const fields = [{ path: [field], rule: 'in_range' }] as const;
      return new WillcallError('invalid_request', { fields }, { cause: error });
    }
  }
  if (code === STATEMENT_CANCELLED || isRetryable(error) || isClientTimeout(error)) {
    return new WillcallError('database_timeout', 'The database did not answer in time; try again.', { cause: error });
  }
  if (isUnavailable(error, code)) {
    return new WillcallError('database_unavailable', 'The database is not reachable now; try again in a moment.', {
      cause: error,
    });
  }
  return new WillcallError('internal', 'Something went wrong on our side; it has been logged.', { cause: error });
}

/** What of an error belongs into a log: pg's own error objects carry the whole connection. */
export function describeError(error: unknown): { reason: string; code?: string } {
  const code = sqlState(error);
  return { reason: error instanceof Error ? error.message : String(error), ...(code !== '' && { code }) };
}

function constraintOf(error: unknown): string {
  return (error as { constraint?: string }).constraint ?? '';
}

function sqlState(error: unknown): string {
  const code = error instanceof Error ? (error as { code?: unknown }).code : undefined;
  return typeof code === 'string' ? code : '';
}

/** pg reports its own time-outs and lost connections by message alone. */
function isClientTimeout(error: unknown): boolean {
  return error instanceof Error && error.message === 'Query read timeout';
}

function isUnavailable(error: unknown, code: string): boolean {
  // 08: connection; 53: resources, such as a full disk; 57P: shutting down, crashed or starting up;
  // 25006: read-only.
  if (/^(08|53|57P)/.test(code) || code === '25006') return true;
  if (/^(ECONN|EPIPE|ETIMEDOUT|EHOSTUNREACH|ENETUNREACH|ENOTFOUND|EAI_AGAIN|ENOENT)/.test(code)) return true;
  return (
    error instanceof Error &&
    /^(Connection terminated|timeout exceeded when trying to connect|Client has encountered a connection error|Client was closed|Cannot use a pool after calling end)/.test(
      error.message,
    )
  );
}
