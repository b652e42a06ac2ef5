// A database of its own for each test file: a clone of the migrated template, or an empty one.
// Made in beforeAll and dropped in afterAll; what a failed file leaves behind goes with the run.

import { randomBytes } from 'node:crypto';
import { Client } from 'pg';
import { inject } from 'vitest';

/** A database for one test file; `url` connects as the owner of everything in it. */
export interface TestDatabase {
  url: string;
  name: string;
  drop(): Promise<void>;
}

/** A database with the schema `willcall`, migrated, empty of data. */
export function createTestDatabase(): Promise<TestDatabase> {
  return createDatabase(inject('templateDatabase'));
}

/** A database with nothing in it, for tests of migrating. */
export function createEmptyDatabase(): Promise<TestDatabase> {
  return createDatabase('template0');
}

async function createDatabase(template: string): Promise<TestDatabase> {
  const name = `${inject('databasePrefix')}_${randomBytes(5).toString('hex')}`;
  const url = new URL(inject('databaseServerUrl'));
  url.pathname = `/${name}`;
  await onServer(async (client) => {
    // PostgreSQL refuses to copy a template that somebody else is copying, so the copies take
    // turns.
    await client.query('select pg_advisory_lock(hashtextextended($1, 0))', [template]);
    await client.query(`create database ${name} template ${template}`);
    // As in the service: compiling a statement costs more than running it, on small tables above
    // all.
    await client.query(`alter database ${name} set jit = off`);
  });
  return {
    url: url.href,
    name,
    drop: () => onServer(async (client) => void (await client.query(`drop database if exists ${name} with (force)`))),
  };
}

async function onServer(work: (client: Client) => Promise<void>): Promise<void> {
  const client = new Client({ connectionString: inject('databaseServerUrl') });
  await client.connect();
  try {
    await work(client);
  } finally {
    await client.end();
  }
}
