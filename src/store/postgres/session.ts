// Session settings: everything that correctness or parsing rests on, set on each connection.
// Nothing is inherited from the defaults of a server, a database or a role, which an operator may
// have changed for other programs. A connection sets them in its start-up packet. A transaction
// pooler does not forward it; there the login has the settings as its own defaults (`alter
// role … set`, docs/operations.md). Either way the start checks what the session really has.
// See docs/decisions/0032-sessions-inherit-nothing.md.

import pg from 'pg';
import type { TypeParser } from './types.ts';

const CONNECT_TIMEOUT_MS = 2_000;
/** How long an answer may take before its connection is given up. */
const ANSWER_TIMEOUT_MS = 15_000;

/**
 * What stands between the service and PostgreSQL: nothing that matters, or a transaction pooler.
 */
export type Pooler = 'none' | 'transaction';

export interface SessionOptions {
  readonly url: string;
  /** The role to take on after login; null keeps the login's own. */
  readonly runtimeRole: string | null;
  /** `none` unless given. */
  readonly pooler?: Pooler;
}

/** A setting's name and its value, as `show` prints it. */
export type SessionSettings = Readonly<Record<string, string>>;

/** The settings of every session. PostgreSQL 13 and newer know them all. */
export const sessionSettings: SessionSettings = {
  // The functions take their locks first and read afterwards: each statement needs a new snapshot.
  default_transaction_isolation: 'read committed',
  default_transaction_read_only: 'off',
  default_transaction_deferrable: 'off',
  // What was answered must survive a crash.
  synchronous_commit: 'on',
  statement_timeout: '10s',
  lock_timeout: '3s',
  // An instance that vanished within a transaction must not hold its locks longer than a statement.
  idle_in_transaction_session_timeout: '10s',
  // How values are written and read.
  datestyle: 'ISO, YMD',
  intervalstyle: 'postgres',
  timezone: 'UTC',
  bytea_output: 'hex',
  extra_float_digits: '1',
  array_nulls: 'on',
  // What a statement means.
  search_path: 'pg_catalog, pg_temp',
  standard_conforming_strings: 'on',
  transform_null_equals: 'off',
  quote_all_identifiers: 'off',
  row_security: 'on',
  check_function_bodies: 'on',
  default_table_access_method: 'heap',
  'plpgsql.extra_errors': 'none',
  // Hot functions switch off all paths but these, and force the plans they want (decision 0004).
  enable_indexscan: 'on',
  enable_indexonlyscan: 'on',
  enable_nestloop: 'on',
  enable_tidscan: 'on',
  plan_cache_mode: 'auto',
  // Compiling a hot statement costs more than running it.
  jit: 'off',
};

/** Settings that some supported versions lack, which refuse a start-up packet that names them. */
const newerSettings: SessionSettings = { idle_session_timeout: '0', transaction_timeout: '0' };

/** What a session cannot set for itself, and must have nevertheless. */
const givenSettings: SessionSettings = { session_replication_role: 'origin', server_encoding: 'UTF8' };

/** Parameters of a connection URL that would replace ours. */
const REPLACED = [
  'options',
  'statement_timeout',
  'lock_timeout',
  'idle_in_transaction_session_timeout',
  'query_timeout',
  'client_encoding',
  'binary',
];

/** The configuration of a client or a pool of the service; `changes` replaces single settings. */
export function sessionConfig(
  { url, runtimeRole, pooler = 'none' }: SessionOptions,
  changes: SessionSettings = {},
): pg.ClientConfig {
  const { connectionString, options } = splitUrl(url);
  const role = runtimeRole === null ? {} : { role: runtimeRole };
  const settings = formatOptions({ ...sessionSettings, ...changes, ...role });
  return {
    connectionString,
    application_name: 'willcall',
    connectionTimeoutMillis: CONNECT_TIMEOUT_MS,
    query_timeout: ANSWER_TIMEOUT_MS,
    keepAlive: true,
    ...(pooler === 'none' && { options: `${options} ${settings}`.trim() }),
  };
}

/** The same, whose clients read values by these parsers. */
export function withParsers(config: pg.ClientConfig, parserOf: TypeParser): pg.ClientConfig {
  return { ...config, types: { getTypeParser: parserOf } as unknown as pg.CustomTypesConfig };
}

/**
 * Sets on a new connection what its start-up packet could not name. Not behind a transaction
 * pooler, where it would change the session of whoever comes next.
 */
export async function completeSession(client: pg.ClientBase, pooler: Pooler = 'none'): Promise<void> {
  if (pooler === 'transaction') return;
  await client.query(
    `select pg_catalog.set_config(name, value, false)
       from (values ${Object.entries(newerSettings)
         .map(([name, value]) => `('${name}', '${value}')`)
         .join(', ')}) as wanted (name, value)
      where pg_catalog.current_setting(name, true) is not null`,
  );
}

/** Opens a connection with every setting. The caller ends it. */
export async function openSession(config: pg.ClientConfig): Promise<pg.Client> {
  const client = new pg.Client(config);
  // A connection that breaks also fails the query under way, which carries the error.
  client.on('error', () => {});
  await client.connect();
  await completeSession(client);
  return client;
}

/** Reads a session's state; its parameters are the names of settings and the values wanted. */
export const SESSION_STATE = `
  select session_user::text as login,
         current_database()::text as database,
         wanted.name,
         wanted.value as wanted,
         pg_catalog.current_setting(wanted.name, true) as actual
    from unnest($1::text[], $2::text[]) as wanted (name, value)`;

/** The parameters of `SESSION_STATE`. */
export function sessionStateValues(changes: SessionSettings = {}): [string[], string[]] {
  const wanted = { ...sessionSettings, ...newerSettings, ...givenSettings, ...changes };
  return [Object.keys(wanted), Object.values(wanted)];
}

/** A row of `SESSION_STATE`. */
export interface SettingRow {
  readonly login: string;
  readonly database: string;
  readonly name: string;
  readonly wanted: string;
  /** Null where this version of PostgreSQL does not know the setting. */
  readonly actual: string | null;
}

/** A database that the service cannot work with; the message says what to do. */
export class DatabaseSetupError extends Error {
  override readonly name = 'DatabaseSetupError';
}

/** Throws a DatabaseSetupError unless the session is as it must be. */
export function checkSession(rows: readonly SettingRow[], pooler: Pooler): void {
  const wrong = rows.filter(({ actual, wanted }) => actual !== null && actual !== wanted);
  const [first] = wrong;
  if (first === undefined) return;
  const encoding = wrong.find(({ name }) => name === 'server_encoding');
  if (encoding !== undefined) throw new DatabaseSetupError(encodingSentence(encoding));
  const given = wrong.filter(({ name }) => name in givenSettings);
  const named = wrong.map(({ name, actual }) => `${name} is "${actual}"`).join(', ');
  const statements = wrong.map((row) => alterRole(row)).join(' ');
  if (pooler === 'transaction') {
    throw new DatabaseSetupError(
      `Behind a transaction pooler the login needs its own settings, and ${named}. As an administrator, run: ` +
        `${statements} Then make the pooler open new connections (PgBouncer: RECONNECT), and start again.`,
    );
  }
  if (given.length > 0) {
    throw new DatabaseSetupError(
      `The database would not keep its rules for the login "${first.login}", because ${named}. As a superuser, run: ` +
        `${statements}`,
    );
  }
  throw new DatabaseSetupError(
    `Something between Willcall and PostgreSQL keeps back the settings of its sessions: ${named}. Connect without a ` +
      'transaction pooler, or set WILLCALL_DATABASE_POOLER=transaction.',
  );
}

function encodingSentence({ database, actual }: SettingRow): string {
  return (
    `The database "${database}" is encoded in ${actual}, but Willcall needs UTF8. Make another one: ` +
    `create database "…" template template0 encoding 'UTF8';`
  );
}

/** The statement that gives a login a setting, in the database that the service uses. */
function alterRole({ login, database, name, wanted }: SettingRow): string {
  // A search path in quotes would be the name of one schema.
  const value = name === 'search_path' ? wanted : `'${wanted}'`;
  return `alter role "${login}" in database "${database}" set ${name} = ${value};`;
}

/** As PostgreSQL reads them: blanks and backslashes in a value are escaped by a backslash. */
function formatOptions(settings: SessionSettings): string {
  return Object.entries(settings)
    .map(([name, value]) => `-c ${name}=${value.replace(/[\\ ]/g, '\\$&')}`)
    .join(' ');
}

/**
 * pg lets a URL's parameters replace the configuration; ours must win. Its `options` come first.
 */
function splitUrl(url: string): { connectionString: string; options: string } {
  const parsed = URL.parse(url);
  if (parsed === null || !REPLACED.some((name) => parsed.searchParams.has(name))) {
    return { connectionString: url, options: '' };
  }
  const options = parsed.searchParams.get('options') ?? '';
  for (const name of REPLACED) parsed.searchParams.delete(name);
  return { connectionString: parsed.href, options };
}
