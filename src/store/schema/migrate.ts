// Migration: brings a database to this version's role, schema, migrations, functions and grants.
// Any number of instances may call it at once; a session lock lets one work while the others wait
// and then find nothing to do. The numbered migrations commit together, then the functions
// together; a crash leaves each all or nothing, and the next start goes on from there. It needs a
// direct connection: a transaction pooler cannot hold the lock.

import { Kysely, type MigrationResultSet, Migrator, PostgresDialect, type PostgresPoolClient, sql } from 'kysely';
import { Client } from 'pg';
import {
  checkSession,
  completeSession,
  SESSION_STATE,
  type SessionSettings,
  type SettingRow,
  sessionConfig,
  sessionStateValues,
} from '../postgres/session.ts';
import { applyFunctionTexts } from './function-texts.ts';
import { codeOf, lineOf, MigrationError, messageOf } from './migration-error.ts';
import { checkName, migrationName, readMigrationFiles, type SqlFile } from './migration-files.ts';
import { ensureRoleAndSchema } from './roles.ts';
import { isUpToDate } from './schema-state.ts';

export { MigrationError } from './migration-error.ts';

/** What `migrate` works on. */
export interface MigrateOptions {
  /** The connection string of the user that owns the schema. */
  ownerUrl: string;
  schema: string;
  /** The role that the running service takes on: it may use the tables, not alter them. */
  runtimeRole: string;
  /** The login that the service will use, when it is another than the owner. */
  serviceLogin?: string | undefined;
  /** The directory with the SQL texts; the product's own when left out. */
  directory?: string;
  log?: (line: string) => void;
}

/** What `migrate` did; lists are empty when the database was already up to date. */
export interface MigrateReport {
  /** The newest migration that the database now has; undefined when there is none at all. */
  version: string | undefined;
  migrations: string[];
  /** The function files, and the grants, that were applied because their text had changed. */
  functionTexts: string[];
  /** The function files that had disappeared and whose functions were dropped. */
  droppedFunctionTexts: string[];
}

const MIGRATION_TABLE = 'migration';
const MIGRATION_LOCK_TABLE = 'migration_lock';
const SERVER_VERSION_MIN = 15;
const UNKNOWN_SETTING = '42704';
const PROTOCOL_VIOLATION = '08P01';
/** Waiting for another instance's migration, or for a long index build, is not a fault. */
const patience: SessionSettings = {
  statement_timeout: '0',
  lock_timeout: '0',
  idle_in_transaction_session_timeout: '0',
  client_min_messages: 'warning',
};

/** Migrates the database; throws a MigrationError whose message says what to do. */
export async function migrate(options: MigrateOptions): Promise<MigrateReport> {
  const names = {
    schema: checkName('schema', options.schema),
    runtimeRole: checkName('role', options.runtimeRole),
  };
  const files = await readMigrationFiles(names, options.directory);
  const log = options.log ?? (() => {});
  const last = files.migrations.at(-1);
  const version = last && migrationName(last);
  const client = await connect(options.ownerUrl);
  try {
    await checkServerVersion(client);
    await checkSettings(client);
    if (await isUpToDate(client, names, files)) {
      return { version, migrations: [], functionTexts: [], droppedFunctionTexts: [] };
    }
    // Freed with the connection, also when this process dies.
    await client.query('select pg_advisory_lock(hashtextextended($1, 0))', [`${names.schema}.migrate`]);
    await refuseNewerDatabase(client, names.schema, files.migrations);
    const roleCreated = await ensureRoleAndSchema(client, { ...names, serviceLogin: options.serviceLogin });
    const migrations = await runMigrations(client, names.schema, files.migrations);
    for (const name of migrations) log(`migrated the database to ${name}`);
    const texts = await applyFunctionTexts(client, names.schema, files, roleCreated || migrations.length > 0);
    if (texts.applied.length > 0) log(`applied ${texts.applied.join(', ')}`);
    if (texts.dropped.length > 0) log(`dropped what ${texts.dropped.join(', ')} had defined`);
    return {
      version,
      migrations,
      functionTexts: texts.applied,
      droppedFunctionTexts: texts.dropped,
    };
  } finally {
    await client.end();
  }
}

async function connect(ownerUrl: string): Promise<Client> {
  const client = new Client({
    ...sessionConfig({ url: ownerUrl, runtimeRole: null }, patience),
    application_name: 'willcall migrate',
    connectionTimeoutMillis: 0,
    query_timeout: 0,
  });
  // A connection that breaks also fails the query under way, which carries the error.
  client.on('error', () => {});
  try {
    await client.connect();
    await completeSession(client);
  } catch (error) {
    throw new MigrationError(
      `Could not connect to the database ${client.database} at ${client.host}:${client.port}: ${messageOf(error)}. ` +
        adviseOnConnecting(error),
      { cause: error },
    );
  }
  return client;
}

function adviseOnConnecting(error: unknown): string {
  const code = codeOf(error);
  if (code === UNKNOWN_SETTING) return `Willcall needs PostgreSQL ${SERVER_VERSION_MIN} or newer.`;
  if (code === PROTOCOL_VIOLATION && /startup parameter/.test(messageOf(error))) {
    return (
      'This is a transaction pooler: set WILLCALL_DATABASE_POOLER=transaction, and DATABASE_DIRECT_URL to a URL that ' +
      'leads past it.'
    );
  }
  return 'Check DATABASE_URL and that the server is running.';
}

async function checkSettings(client: Client): Promise<void> {
  const { rows } = await client.query<SettingRow>(SESSION_STATE, sessionStateValues(patience));
  checkSession(rows, 'none');
}

async function checkServerVersion(client: Client): Promise<void> {
  const { rows } = await client.query<{ number: number; version: string }>(
    `select current_setting('server_version_num')::int as number, current_setting('server_version') as version`,
  );
  const server = rows[0];
  if (server !== undefined && server.number < SERVER_VERSION_MIN * 10_000) {
    throw new MigrationError(
      `The database server is PostgreSQL ${server.version}, but Willcall needs ${SERVER_VERSION_MIN} or newer: ` +
        'upgrade the server, or point DATABASE_URL at another one.',
    );
  }
}

async function refuseNewerDatabase(client: Client, schema: string, files: SqlFile[]): Promise<void> {
  const table = `"${schema}".${MIGRATION_TABLE}`;
  const found = await client.query<{ exists: boolean }>('select to_regclass($1) is not null as exists', [table]);
  if (!found.rows[0]?.exists) return;
  const { rows } = await client.query<{ name: string }>(`select name from ${table} order by name`);
  const ours = new Set(files.map(migrationName));
  const foreign = rows.map((row) => row.name).filter((name) => !ours.has(name));
  if (foreign.length === 0) return;
  const last = files.at(-1);
  throw new MigrationError(
    `The schema "${schema}" of the database ${client.database} is at ${rows.at(-1)?.name}, but this version of Willcall ` +
      `knows only ${last ? `migrations up to ${migrationName(last)}` : 'no migrations'} ` +
      `(unknown: ${foreign.join(', ')}). Start the version of Willcall that made it, or a newer one. Nothing was changed.`,
  );
}

async function runMigrations(client: Client, schema: string, files: SqlFile[]): Promise<string[]> {
  const byName = new Map(files.map((file) => [migrationName(file), file]));
  const migrator = new Migrator({
    db: overOneConnection(client),
    provider: {
      getMigrations: async () =>
        Object.fromEntries(
          [...byName].map(([name, file]) => [name, { up: async (db) => void (await sql.raw(file.text).execute(db)) }]),
        ),
    },
    migrationTableSchema: schema,
    migrationTableName: MIGRATION_TABLE,
    migrationLockTableName: MIGRATION_LOCK_TABLE,
  });
  const outcome = await migrator.migrateToLatest();
  if (outcome.error !== undefined) throw failedMigration(outcome, byName);
  return (outcome.results ?? []).map((result) => result.migrationName);
}

function failedMigration({ error, results }: MigrationResultSet, byName: Map<string, SqlFile>): MigrationError {
  const name = results?.find((result) => result.status === 'Error')?.migrationName;
  const file = name === undefined ? undefined : byName.get(name);
  const line = file && lineOf(error, file.text);
  const where = file ? `migrations/${file.name}${line === undefined ? '' : `, line ${line},`}` : 'The migration';
  const advice =
    codeOf(error) === '42501'
      ? ' Connect as the owner of the schema (DATABASE_OWNER_URL).'
      : ' No migration of this start was kept.';
  return new MigrationError(`${where} failed: ${messageOf(error)}.${advice}`, { cause: error });
}

/** Uses the connection that holds the lock, so that both are lost together; its caller ends it. */
function overOneConnection(client: Client): Kysely<unknown> {
  const connection: PostgresPoolClient = {
    // Kysely asks for less than pg offers, but as overloads that TypeScript cannot see through.
    query: client.query.bind(client) as PostgresPoolClient['query'],
    release: () => {},
  };
  return new Kysely({
    dialect: new PostgresDialect({ pool: { connect: async () => connection, end: async () => {} } }),
  });
}
