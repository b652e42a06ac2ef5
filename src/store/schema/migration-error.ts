// Migration errors: every message says what is wrong and what to do about it.
// A message never contains the connection string, because that may carry a password.

/**
 * A database that could not be brought to this version's schema; `cause` is the database's own
 * error, if it raised one.
 */
export class MigrationError extends Error {
  override readonly name = 'MigrationError';
}

/** An error's SQLSTATE, or the system's code (`ECONNREFUSED`); undefined when it has neither. */
export function codeOf(error: unknown): string | undefined {
  const code = error instanceof Error && 'code' in error ? error.code : undefined;
  return typeof code === 'string' ? code : undefined;
}

/** The message of anything thrown. */
export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

/**
 * Where in `text` PostgreSQL found the error, as a line number from 1; undefined when it did not
 * say.
 */
export function lineOf(error: unknown, text: string): number | undefined {
  const position = error instanceof Error && 'position' in error ? Number(error.position) : Number.NaN;
  return Number.isInteger(position) ? text.slice(0, position).split('\n').length : undefined;
}
