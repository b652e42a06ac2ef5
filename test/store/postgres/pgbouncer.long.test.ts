// The service behind PgBouncer in transaction mode: refused until its login has the settings, and
// then as good as without, on two instances and where the database's own defaults are others.

import { randomBytes } from 'node:crypto';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Client as PgClient } from 'pg';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { type Config, parseConfig } from '../../../src/config.ts';
import { startWillcall, type Willcall } from '../../../src/willcall.ts';
import { type Client, createClient } from '../../support/client.ts';
import { createEmptyDatabase, type TestDatabase } from '../../support/database.ts';
import { findPgBouncer, type PgBouncer, startPgBouncer } from '../../support/pgbouncer.ts';

const ADMIN_KEY = 'an-admin-key-of-the-tests-behind-a-pooler';
const suffix = randomBytes(4).toString('hex');
const app = `app_${suffix}`;
const runtimeRole = `runtime_${suffix}`;

let database: TestDatabase;
let pooler: PgBouncer;
let dataDir: string;
const started: Willcall[] = [];
const clients: Client[] = [];

beforeAll(async () => {
  database = await createEmptyDatabase();
  dataDir = await mkdtemp(join(tmpdir(), 'willcall-pooler-'));
  await administer(
    `create role ${runtimeRole} nologin`,
    `create role ${app} login password 'secret' in role ${runtimeRole}`,
    `alter database ${database.name} set default_transaction_isolation = 'repeatable read'`,
    `alter database ${database.name} set datestyle = 'German'`,
    `alter database ${database.name} set search_path = nowhere`,
  );
  pooler = await startPgBouncer(findPgBouncer(), [directUrl()]);
});
afterAll(async () => {
  for (const client of clients) client.close();
  for (const willcall of started) await willcall.stop();
  await pooler?.stop();
  await database.drop();
  await administer(`drop role ${app}, ${runtimeRole}`);
  await rm(dataDir, { recursive: true, force: true });
});

function directUrl(): string {
  const url = new URL(database.url);
  Object.assign(url, { username: app, password: 'secret' });
  return url.href;
}

async function administer(...statements: string[]): Promise<void> {
  const url = new URL(database.url);
  url.pathname = '/postgres';
  const client = new PgClient({ connectionString: url.href });
  await client.connect();
  for (const statement of statements) await client.query(statement);
  await client.end();
}

const logger = { debug: () => {}, info: () => {}, warn: () => {}, error: () => {} };

async function start(changes: Partial<Config> = {}): Promise<Willcall> {
  const given = { DATABASE_URL: pooler.urlOf(directUrl()), DATABASE_DIRECT_URL: directUrl() };
  const config = parseConfig({
    ...given,
    DATABASE_OWNER_URL: database.url,
    WILLCALL_DATABASE_POOLER: 'transaction',
    WILLCALL_ADMIN_KEY: ADMIN_KEY,
    WILLCALL_RUNTIME_ROLE: runtimeRole,
    WILLCALL_PORT: '0',
  });
  const willcall = await startWillcall({ ...config, dataDir, ...changes }, logger);
  started.push(willcall);
  return willcall;
}

/** The statements of the documentation, for this login and database. */
async function readStatements(): Promise<string[]> {
  const page = await readFile(join(import.meta.dirname, '../../../docs/operations.md'), 'utf8');
  const [, sql = ''] = /<!-- pooler:start -->\s*```sql\n([\s\S]*?)```/.exec(page) ?? [];
  const own = sql.replaceAll('willcall_app', `"${app}"`).replaceAll('database app', `database "${database.name}"`);
  return own.trim().split('\n');
}

it('is refused without the setting for poolers, which the sentence names', async () => {
  const changes = { databasePooler: 'none', databaseOwnerUrl: null, databaseDirectUrl: null } as const;
  await expect(start(changes)).rejects.toThrow(/transaction pooler: set WILLCALL_DATABASE_POOLER=transaction/);
});

it('is refused while the login lacks the settings, with the statements of the documentation', async () => {
  const refusal = await start().catch((error: Error) => error.message);
  const [, sentence = ''] = /run: (.*;) Then make the pooler/.exec(String(refusal)) ?? [];
  const statements = sentence.split(/(?<=;) /);
  expect(statements).toContain(
    `alter role "${app}" in database "${database.name}" set default_transaction_isolation = 'read committed';`,
  );
  const documented = await readStatements();
  expect(statements.filter((one) => !one.includes('transaction_timeout') && !documented.includes(one))).toEqual([]);
  await administer(...documented);
  await pooler.reconnect();
});

it('serves two instances side by side, whatever the database sets', async () => {
  const instances = [await start(), await start()];
  for (const { url } of instances) clients.push(createClient(url, ADMIN_KEY));
  const [one, two] = clients as [Client, Client];
  expect((await one.call('PUT', '/v1/subscriptions/pooled')).status).toBe(201);
  const topic = await one.get<{ created_at: string }>('/v1/topics/pooled');
  expect(Math.abs(Date.parse(topic.json.created_at) - Date.now())).toBeLessThan(60_000);
  const statuses = new Map<number, number>();
  const note = <Answer extends { status: number }>(answer: Answer): Answer => {
    statuses.set(answer.status, (statuses.get(answer.status) ?? 0) + 1);
    return answer;
  };
  const seen = new Map<string, number>();
  const until = Date.now() + 4_000;
  const publishing = [one, two].map(async (client) => {
    const messages = [{ body: 'x' }, { body: 'y', attributes: { of: 'a pooler' } }];
    while (Date.now() < until) note(await client.post('/v1/topics/pooled/messages', { messages }));
  });
  const receiving = [one, two, one, two].map(async (client) => {
    while (Date.now() < until) {
      const answer = note(
        await client.post<{ messages: { id: string; receipt: string }[] }>('/v1/subscriptions/pooled/receive', {
          max_messages: 5,
          wait_seconds: 1,
        }),
      );
      for (const { id } of answer.json.messages) seen.set(id, (seen.get(id) ?? 0) + 1);
      const receipts = answer.json.messages.map(({ receipt }) => receipt);
      if (receipts.length > 0) note(await client.post('/v1/subscriptions/pooled/acknowledge', { receipts }));
    }
  });
  await Promise.all([...publishing, ...receiving]);
  expect([...statuses.keys()].filter((status) => status >= 400)).toEqual([]);
  expect(seen.size).toBeGreaterThan(10);
  expect([...seen.values()].filter((times) => times > 1)).toEqual([]);
});

it('wakes a receive that is parked on the other instance, past the pooler', async () => {
  const [one, two] = clients as [Client, Client];
  expect((await one.call('PUT', '/v1/subscriptions/parked')).status).toBe(201);
  const parked = two.post<{ messages: object[] }>('/v1/subscriptions/parked/receive', { wait_seconds: 20 });
  await new Promise((resolve) => setTimeout(resolve, 300));
  const began = performance.now();
  await one.publish('parked', 'here');
  expect((await parked).json.messages).toHaveLength(1);
  expect(performance.now() - began).toBeLessThan(5_000);
});
