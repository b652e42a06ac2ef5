// Session settings: what an operator gives a database or a role changes nothing of what the
// service does, on every connection; where that cannot be had, the start says what to do.

import { setTimeout } from 'node:timers/promises';
import { Client } from 'pg';
import { afterAll, beforeAll, beforeEach, describe, expect, inject, it } from 'vitest';
import { createStore, type Store } from '../../../src/store/index.ts';
import {
  checkSession,
  DatabaseSetupError,
  openSession,
  sessionConfig,
  sessionSettings,
} from '../../../src/store/postgres/session.ts';
import { migrate } from '../../../src/store/schema/migrate.ts';
import { CALLER, createQueue, freshName, newMessage, queueOf } from '../../support/calls.ts';
import { createEmptyDatabase, createTestDatabase, type TestDatabase } from '../../support/database.ts';
import { createTestEngine } from '../../support/engine.ts';

/** Another value of each setting: what an operator might have set for other programs. */
const foreign: Record<string, string> = {
  default_transaction_isolation: 'serializable',
  default_transaction_read_only: 'on',
  default_transaction_deferrable: 'on',
  synchronous_commit: 'off',
  statement_timeout: '1ms',
  lock_timeout: '1ms',
  idle_in_transaction_session_timeout: '1ms',
  idle_session_timeout: '300ms',
  transaction_timeout: '300ms',
  datestyle: 'German',
  intervalstyle: 'sql_standard',
  timezone: 'Asia/Kolkata',
  bytea_output: 'escape',
  extra_float_digits: '-15',
  array_nulls: 'off',
  search_path: 'nowhere',
  standard_conforming_strings: 'off',
  transform_null_equals: 'on',
  quote_all_identifiers: 'on',
  row_security: 'off',
  check_function_bodies: 'off',
  'plpgsql.extra_errors': 'all',
  enable_indexscan: 'off',
  enable_indexonlyscan: 'off',
  enable_nestloop: 'off',
  enable_tidscan: 'off',
  plan_cache_mode: 'force_custom_plan',
  jit: 'on',
};
/** PostgreSQL brings no other table access method, so no test can set one. */
const UNTRIED = ['default_table_access_method'];

const logger = { debug: () => {}, info: () => {}, warn: () => {}, error: () => {} };

async function run(url: string, ...statements: string[]): Promise<void> {
  const client = new Client({ connectionString: url });
  await client.connect();
  for (const statement of statements) await client.query(statement);
  await client.end();
}

/** From another database, since the settings would hold for this very session as well. */
const runElsewhere = (...statements: string[]) => run(inject('databaseServerUrl'), ...statements);

async function knownSettings(): Promise<string[]> {
  const client = new Client({ connectionString: inject('databaseServerUrl') });
  await client.connect();
  const { rows } = await client.query<{ name: string }>(
    'select name from unnest($1::text[]) as name where current_setting(name, true) is not null or strpos(name, $2) > 0',
    [Object.keys(foreign), '.'],
  );
  await client.end();
  return rows.map(({ name }) => name);
}

async function setAll(scope: string): Promise<void> {
  const names = await knownSettings();
  await runElsewhere(...names.map((name) => `${scope} set ${name} = '${foreign[name]}'`));
}

function openStore(database: TestDatabase): Store {
  const options = { schema: 'willcall', runtimeRole: 'willcall_runtime', connectionsMax: 2, logger };
  return createStore({ url: database.url, ...options });
}

it('is tried with another value of every setting', () => {
  expect(Object.keys(foreign)).toEqual(expect.arrayContaining(except(Object.keys(sessionSettings), UNTRIED)));
  for (const [name, value] of Object.entries(foreign)) expect(sessionSettings[name]).not.toBe(value);
});

const except = (names: string[], left: string[]) => names.filter((name) => !left.includes(name));

describe.each(['database', 'role'])('with every setting changed for the %s', (kind) => {
  let database: TestDatabase;
  const scopeOf = ({ name, url }: TestDatabase) =>
    kind === 'database' ? `alter database ${name}` : `alter role ${new URL(url).username} in database ${name}`;

  beforeAll(async () => {
    database = await createTestDatabase();
    await setAll(scopeOf(database));
  });
  afterAll(() => database.drop());

  it('a session of the store is as it must be', async () => {
    const store = openStore(database);
    await store.checkSession();
    await store.stop();
  });

  it('an empty database is migrated', async () => {
    const empty = await createEmptyDatabase();
    await setAll(scopeOf(empty));
    const report = await migrate({ ownerUrl: empty.url, schema: 'willcall', runtimeRole: 'willcall_runtime' });
    expect(report.migrations.length).toBeGreaterThan(0);
    expect(report.functionTexts.length).toBeGreaterThan(0);
    await empty.drop();
  });

  it('two instances publish, receive and settle side by side, and none fails', async () => {
    const [one, two] = await Promise.all([createTestEngine(database), createTestEngine(database)]);
    const queue = await createQueue(one, { visibilityTimeoutSeconds: 60 });
    const queues = [queue, queueOf(two, queue.name, queue)];
    const received = new Set<string>();
    let rounds = 0;
    const until = Date.now() + 3_000;
    const publishing = queues.map(async (each) => {
      for (; Date.now() < until; rounds += 1) await each.publish('x', 'y');
    });
    const receiving = [...queues, ...queues].map(async (each) => {
      while (Date.now() < until) {
        const messages = await each.receive({ maxMessages: 5 });
        for (const { id } of messages) received.add(id);
        if (messages.length > 0) await each.acknowledge(...messages.map(({ receipt }) => receipt));
      }
    });
    await Promise.all([...publishing, ...receiving]);
    expect(rounds).toBeGreaterThan(0);
    expect(received.size).toBeGreaterThan(0);
    await Promise.all([one.stop(), two.stop()]);
  });

  it('times are read as they are, and delayed messages fall due', async () => {
    const engine = await createTestEngine(database);
    const name = freshName('topic');
    const { topic } = await engine.createTopic({ name, settings: {}, caller: CALLER });
    expect(Math.abs(topic.createdAt.getTime() - Date.now())).toBeLessThan(60_000);
    const queue = await createQueue(engine);
    await queue.publish(newMessage('later', { delaySeconds: 1 }));
    await setTimeout(1_100);
    await engine.sweep();
    const [message] = await queue.receive();
    expect(message?.body.toString()).toBe('later');
    await engine.stop();
  });

  it('a connection that only listens stays', async () => {
    const warnings: string[] = [];
    const options = { schema: 'willcall', runtimeRole: 'willcall_runtime', connectionsMax: 2 };
    const warn = (_: object, message: string) => warnings.push(message);
    const store = createStore({ url: database.url, ...options, logger: { ...logger, warn } });
    store.wakeups.listen({ onConnect: () => {}, onWakeup: () => {} });
    await expect.poll(() => store.wakeups.isListening()).toBe(true);
    await setTimeout(1_000);
    expect([store.wakeups.isListening(), warnings]).toEqual([true, []]);
    await store.stop();
  });
});

describe('a connection URL', () => {
  it('cannot replace the settings, but may add some', async () => {
    const url = new URL(inject('databaseServerUrl'));
    url.searchParams.set('options', '-c datestyle=German -c work_mem=5MB');
    url.searchParams.set('statement_timeout', '1');
    url.searchParams.set('application_name', 'mine');
    const client = await openSession(sessionConfig({ url: url.href, runtimeRole: null }));
    const { rows } = await client.query(
      `select current_setting('datestyle') as style, current_setting('statement_timeout') as timeout,
              current_setting('work_mem') as memory, current_setting('application_name') as name`,
    );
    expect(rows).toEqual([{ style: 'ISO, YMD', timeout: '10s', memory: '5MB', name: 'mine' }]);
    await client.end();
  });
});

describe('a start is refused with a sentence', () => {
  let database: TestDatabase;
  beforeEach(async () => {
    database = await createTestDatabase();
    return () => database.drop();
  });

  it('where triggers and foreign keys would not be kept', async () => {
    const { username } = new URL(database.url);
    await runElsewhere(`alter role ${username} in database ${database.name} set session_replication_role = replica`);
    const store = openStore(database);
    const sentence =
      `The database would not keep its rules for the login "${username}", because session_replication_role is ` +
      `"replica". As a superuser, run: alter role "${username}" in database "${database.name}" set ` +
      `session_replication_role = 'origin';`;
    await expect(store.checkSession()).rejects.toThrow(sentence);
    await store.stop();
    await expect(
      migrate({ ownerUrl: database.url, schema: 'willcall', runtimeRole: 'willcall_runtime' }),
    ).rejects.toThrow(sentence);
  });

  it('where texts would not be UTF-8, before anything is made', async () => {
    const name = `${database.name}_ascii`;
    await runElsewhere(`create database ${name} template template0 encoding 'SQL_ASCII' locale 'C'`);
    const url = new URL(database.url);
    url.pathname = `/${name}`;
    await expect(migrate({ ownerUrl: url.href, schema: 'willcall', runtimeRole: 'willcall_runtime' })).rejects.toThrow(
      `The database "${name}" is encoded in SQL_ASCII, but Willcall needs UTF8.`,
    );
    await runElsewhere(`drop database ${name}`);
  });

  const row = { login: 'app', database: 'shop', name: 'search_path', wanted: 'pg_catalog, pg_temp', actual: 'x' };

  it('where something keeps the settings back', () => {
    expect(() => checkSession([row], 'none')).toThrow(/search_path is "x".*WILLCALL_DATABASE_POOLER=transaction/);
    expect(() => checkSession([row], 'none')).toThrow(DatabaseSetupError);
  });

  it('behind a pooler, with all statements to run', () => {
    const other = { ...row, name: 'jit', wanted: 'off', actual: 'on' };
    const fine = { ...row, name: 'timezone', wanted: 'UTC', actual: 'UTC' };
    const unknown = { ...row, name: 'transaction_timeout', wanted: '0', actual: null };
    expect(() => checkSession([row, other, fine, unknown], 'transaction')).toThrow(
      'run: alter role "app" in database "shop" set search_path = pg_catalog, pg_temp; ' +
        `alter role "app" in database "shop" set jit = 'off'; Then`,
    );
    expect(() => checkSession([fine, unknown], 'transaction')).not.toThrow();
  });
});
