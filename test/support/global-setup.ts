// One real PostgreSQL for the whole run, and one migrated database in it that every test file
// clones. TEST_DATABASE_URL names a server to use instead of our own; several runs may share one,
// for every name carries the run's own prefix. What the run made is removed at its end, also when
// tests fail.

import { randomBytes } from 'node:crypto';
import { chmod, mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Client } from 'pg';
import type { TestProject } from 'vitest/node';
import { startEmbeddedPostgres } from '../../src/embedded/index.ts';
import { migrate } from '../../src/store/schema/migrate.ts';

declare module 'vitest' {
  interface ProvidedContext {
    /** The server, as a user that may create databases and roles. */
    databaseServerUrl: string;
    /** Begins the name of every database of this run. */
    databasePrefix: string;
    /** The migrated database that test files clone. */
    templateDatabase: string;
  }
}

interface Server {
  url: string;
  stop(): Promise<void>;
}

const DIRECTORY_PREFIX = 'willcall-test-';

export default async function setUp(project: TestProject): Promise<() => Promise<void>> {
  const server = process.env.TEST_DATABASE_URL
    ? { url: process.env.TEST_DATABASE_URL, stop: async () => {} }
    : await startServer();
  const prefix = `willcall_test_${randomBytes(5).toString('hex')}`;
  const template = `${prefix}_template`;
  const tearDown = async () => {
    await dropDatabases(server.url, prefix).finally(() => server.stop());
  };
  try {
    await makeTemplate(server.url, template);
  } catch (error) {
    await tearDown();
    throw error;
  }
  project.provide('databaseServerUrl', server.url);
  project.provide('databasePrefix', prefix);
  project.provide('templateDatabase', template);
  return tearDown;
}

async function startServer(): Promise<Server> {
  await removeAbandonedDirectories();
  const dataDir = await mkdtemp(join(tmpdir(), `${DIRECTORY_PREFIX}${process.pid}-`));
  // Root's temporary directories are closed to the account that runs PostgreSQL.
  await chmod(dataDir, 0o755);
  const postgres = await startEmbeddedPostgres({
    dataDir,
    // The user is called as the schema is: "$user" in the search path would hide a name that lacks
    // its schema.
    settings: { fsync: 'off', full_page_writes: 'off', max_connections: '300', search_path: 'public' },
  });
  return {
    url: postgres.url,
    async stop() {
      await postgres.stop();
      await rm(dataDir, { recursive: true, force: true });
    },
  };
}

/**
 * A run that was killed leaves its directory; a server still in it ends by itself once its files
 * are gone.
 */
async function removeAbandonedDirectories(): Promise<void> {
  for (const name of await readdir(tmpdir())) {
    const pid = name.startsWith(DIRECTORY_PREFIX)
      ? Number.parseInt(name.slice(DIRECTORY_PREFIX.length), 10)
      : Number.NaN;
    if (Number.isNaN(pid) || isAlive(pid)) continue;
    await rm(join(tmpdir(), name), { recursive: true, force: true });
  }
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return error instanceof Error && 'code' in error && error.code === 'EPERM';
  }
}

async function makeTemplate(serverUrl: string, template: string): Promise<void> {
  const client = new Client({ connectionString: serverUrl });
  await client.connect();
  try {
    await client.query(`create database ${template}`);
    const url = new URL(serverUrl);
    url.pathname = `/${template}`;
    await migrate({ ownerUrl: url.href, schema: 'willcall', runtimeRole: 'willcall_runtime' });
    // A database with a visitor cannot be cloned.
    await client.query(`alter database ${template} allow_connections false`);
  } finally {
    await client.end();
  }
}

async function dropDatabases(serverUrl: string, prefix: string): Promise<void> {
  const client = new Client({ connectionString: serverUrl });
  await client.connect();
  try {
    const { rows } = await client.query<{ name: string }>(
      'select datname as name from pg_database where starts_with(datname, $1)',
      [prefix],
    );
    for (const { name } of rows) await client.query(`drop database if exists ${name} with (force)`);
  } finally {
    await client.end();
  }
}
