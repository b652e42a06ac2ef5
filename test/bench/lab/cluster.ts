// The one PostgreSQL that every system with a database shares in a run, each on a database of its
// own: the embedded one in a temporary directory, or a server that was named on the command line.
// Databases are dropped when they are no longer measured, so that a run needs the disk of one
// workload only.

import { chmod, mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import pg from 'pg';
import { startEmbeddedPostgres } from '../../../src/embedded/index.ts';
import { findParent } from './cpu.ts';

/** Settings that decide what the figures mean; they are printed with them. */
const SETTINGS = ['fsync', 'synchronous_commit', 'full_page_writes', 'shared_buffers', 'max_wal_size', 'autovacuum'];

export interface Cluster {
  readonly version: string;
  readonly settings: Readonly<Record<string, string>>;
  /** Null when the server is not a process that can be seen from here. */
  readonly postmasterPid: number | null;
  /** Makes an empty database; returns its URL. */
  createDatabase(name: string): Promise<string>;
  dropDatabase(name: string): Promise<void>;
  /**
   * What its statistics say of a database, asked from another one, so that the question does not
   * count.
   */
  readActivity(name: string): Promise<DatabaseActivity>;
  stop(): Promise<void>;
  /** Without waiting, for an exit that came by surprise; nothing when the server is not ours. */
  kill(): void;
}

export interface DatabaseActivity {
  readonly transactions: number;
  readonly connections: number;
}

/** Starts the embedded server below `directory`, or connects to the one at `url`. */
export async function openCluster(directory: string, url: string | null): Promise<Cluster> {
  const server = url === null ? await startServer(directory) : { url, stop: async () => {} };
  const client = new pg.Client({ connectionString: server.url, application_name: 'bench' });
  await client.connect();
  const pid = await client.query<{ pid: number }>('select pg_backend_pid() as pid');
  const { version, ...settings } = await readSettings(client);
  // One connection carries one statement at a time, and databases are dropped side by side.
  let last: Promise<unknown> = Promise.resolve();
  const inTurn = <Row extends pg.QueryResultRow>(statement: string, values: unknown[] = []) => {
    const mine = last.then(() => client.query<Row>(statement, values));
    last = mine.catch(() => {});
    return mine;
  };
  const postmasterPid = findParent(pid.rows[0]?.pid ?? 0, 'postgres');
  return {
    version: version ?? '?',
    settings,
    postmasterPid,
    createDatabase: async (name) => {
      await inTurn(`drop database if exists ${client.escapeIdentifier(name)} with (force)`);
      await inTurn(`create database ${client.escapeIdentifier(name)}`);
      const made = new URL(server.url);
      made.pathname = `/${name}`;
      return made.href;
    },
    dropDatabase: async (name) => {
      await inTurn(`drop database if exists ${client.escapeIdentifier(name)} with (force)`);
    },
    readActivity: async (name) => {
      const { rows } = await inTurn<DatabaseActivity>(
        `select (xact_commit + xact_rollback)::float8 as transactions, (
           select count(*)::int from pg_stat_activity where datname = $1 and backend_type = 'client backend'
         ) as connections
         from pg_stat_database where datname = $1`,
        [name],
      );
      return rows[0] ?? { transactions: 0, connections: 0 };
    },
    stop: async () => {
      await last;
      await client.end();
      await server.stop();
    },
    kill: () => {
      if (url === null && postmasterPid !== null) {
        // To a postmaster this is its fast shutdown.
        process.kill(postmasterPid, 'SIGINT');
      }
    },
  };
}

/**
 * Holds a snapshot in a database until the returned function is called: nothing newer can be
 * vacuumed away.
 */
export async function holdSnapshot(databaseUrl: string): Promise<() => Promise<void>> {
  const client = new pg.Client({ connectionString: databaseUrl, application_name: 'bench snapshot' });
  await client.connect();
  await client.query('begin isolation level repeatable read');
  await client.query('select pg_current_xact_id()');
  return async () => {
    await client.query('rollback');
    await client.end();
  };
}

async function startServer(directory: string): Promise<{ url: string; stop(): Promise<void> }> {
  const dataDir = join(directory, 'postgres');
  await mkdir(dataDir);
  // As root the server runs as another account, which has to pass through both.
  await chmod(directory, 0o711);
  await chmod(dataDir, 0o711);
  // As the service itself reaches it.
  const server = await startEmbeddedPostgres({ dataDir, log: () => {} });
  return { url: server.localUrl, stop: server.stop };
}

async function readSettings(client: pg.Client): Promise<Record<string, string>> {
  const result = await client.query<{ name: string; value: string }>(
    'select name, current_setting(name) as value from unnest($1::text[]) as name',
    [['server_version', ...SETTINGS]],
  );
  const { server_version, ...settings } = Object.fromEntries(result.rows.map((row) => [row.name, row.value]));
  return { version: server_version ?? '?', ...settings };
}
