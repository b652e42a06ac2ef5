// Bringing a database to this version's schema: by several at once, twice, under other names, and
// by those who may not.

import { randomBytes } from 'node:crypto';
import { mkdir, mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { Client } from 'pg';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { type MigrateOptions, MigrationError, migrate } from '../../../src/store/schema/migrate.ts';
import { createEmptyDatabase, type TestDatabase } from '../../support/database.ts';

const OWN_MIGRATIONS = fileURLToPath(new URL('../../../migrations', import.meta.url));

let database: TestDatabase;
let directory: string;
const roles: string[] = [];

beforeEach(async () => {
  database = await createEmptyDatabase();
  directory = await mkdtemp(join(tmpdir(), 'willcall-migrations-'));
  await mkdir(join(directory, 'functions'));
});

afterEach(async () => {
  const admin = roles.splice(0);
  await database.drop();
  for (const role of admin) await onServer(`drop role if exists ${role}`);
  await rm(directory, { recursive: true, force: true });
});

/** Writes files below the test's own migrations directory: name to text. */
async function write(files: Record<string, string>): Promise<void> {
  for (const [name, text] of Object.entries(files)) await writeFile(join(directory, name), text);
}

/** Migrates with the test's own directory. */
function migrateOwn(options: Partial<MigrateOptions> = {}) {
  return migrate({
    ownerUrl: database.url,
    schema: 'willcall',
    runtimeRole: 'willcall_runtime',
    directory,
    ...options,
  });
}

async function query<Row extends object>(text: string, url = database.url): Promise<Row[]> {
  const client = new Client({ connectionString: url });
  await client.connect();
  try {
    return (await client.query<Row>(text)).rows;
  } finally {
    await client.end();
  }
}

async function onServer(text: string): Promise<void> {
  const url = new URL(database.url);
  url.pathname = '/postgres';
  await query(text, url.href);
}

/** A role name of this test's own, dropped at its end. */
function roleName(): string {
  const name = `willcall_test_role_${randomBytes(5).toString('hex')}`;
  roles.push(name);
  return name;
}

/**
 * A user that may log in and do nothing else; returns its name and its connection string to the
 * test's database.
 */
async function createUser(): Promise<{ user: string; url: string }> {
  const user = roleName();
  await query(`create role ${user} login password 'secret'`);
  const url = new URL(database.url);
  url.username = user;
  url.password = 'secret';
  return { user, url: url.href };
}

async function functionsOf(schema: string): Promise<string[]> {
  const rows = await query<{ signature: string }>(
    `select p.proname || '(' || oidvectortypes(p.proargtypes) || ')' as signature
       from pg_proc p
      where p.pronamespace = '${schema}'::regnamespace
      order by 1`,
  );
  return rows.map((row) => row.signature);
}

describe('the numbered migrations', () => {
  it("bring an empty database to the product's own newest schema, and find nothing to do the second time", async () => {
    const own = (await readdir(OWN_MIGRATIONS)).filter((name) => /^\d{4}-.*\.sql$/.test(name)).sort();
    const options = { ownerUrl: database.url, schema: 'willcall', runtimeRole: 'willcall_runtime' };
    const first = await migrate(options);
    expect(first.migrations).toEqual(own.map((name) => name.slice(0, -4)));
    expect(first.version).toBe(own.at(-1)?.slice(0, -4));
    expect(await migrate(options)).toEqual({
      version: first.version,
      migrations: [],
      functionTexts: [],
      droppedFunctionTexts: [],
    });
  });

  it('run once when several instances start at the same instant on an empty database', async () => {
    const runtimeRole = roleName();
    await write({
      '0001-things.sql': 'create table willcall.thing (id int); insert into willcall.thing values (1);',
      '0002-more.sql': 'insert into willcall.thing values (2);',
      'functions/count.sql': `create function willcall.count_things() returns bigint language sql
        as 'select count(*) from willcall.thing';`,
      'grants.sql': 'grant usage on schema willcall to willcall_runtime;',
    });
    const reports = await Promise.all(Array.from({ length: 6 }, () => migrateOwn({ runtimeRole })));
    expect(reports.flatMap((report) => report.migrations).sort()).toEqual(['0001-things', '0002-more']);
    expect(reports.flatMap((report) => report.functionTexts).sort()).toEqual(['functions/count.sql', 'grants.sql']);
    expect(new Set(reports.map((report) => report.version))).toEqual(new Set(['0002-more']));
    expect(await query('select willcall.count_things()::int as count')).toEqual([{ count: 2 }]);
  });

  it('accept a role that an instance on another database of the server makes at the same instant', async () => {
    const runtimeRole = roleName();
    const rival = new Client({ connectionString: database.url });
    await rival.connect();
    try {
      await rival.query(`begin; create role ${runtimeRole} nologin`);
      const migrated = migrateOwn({ runtimeRole });
      const waiting = `select from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'`;
      await vi.waitFor(async () => expect(await query(waiting)).toHaveLength(1), { timeout: 90_000 });
      await rival.query('commit');
      await expect(migrated).resolves.toMatchObject({ migrations: [] });
    } finally {
      await rival.end();
    }
  });

  it('are all kept or none, and the error names the file and the line', async () => {
    await write({
      '0001-things.sql': 'create table willcall.thing (id int);',
      '0002-broken.sql': 'create table willcall.other (id int);\n\nalter table willcall.absent add column x int;',
    });
    await expect(migrateOwn()).rejects.toThrow(/^migrations\/0002-broken\.sql.* failed: relation "willcall\.absent"/);
    await write({ '0002-broken.sql': 'create table willcall.other (id int);\n\ncreate table thing;;\nselec 1;' });
    await expect(migrateOwn()).rejects.toThrow(/^migrations\/0002-broken\.sql, line 3, failed: syntax error/);
    expect(await query(`select to_regclass('willcall.thing') as thing`)).toEqual([{ thing: null }]);
  });

  it('refuse a database that a newer version has migrated, saying both versions and what to do, and touch nothing', async () => {
    await write({ '0001-things.sql': 'create table willcall.thing (id int);', '0002-more.sql': 'select 1;' });
    await migrateOwn();
    await rm(join(directory, '0002-more.sql'));
    await write({ 'functions/late.sql': 'create function willcall.late() returns int language sql return 1;' });
    await expect(migrateOwn()).rejects.toThrow(
      `The schema "willcall" of the database ${database.name} is at 0002-more, but this version of Willcall knows only ` +
        'migrations up to 0001-things (unknown: 0002-more). Start the version of Willcall that made it, or a newer one. ' +
        'Nothing was changed.',
    );
    expect(await functionsOf('willcall')).toEqual([]);
  });

  it.each([
    ['things.sql', /migrations\/things\.sql is not named like 0001-what-it-does\.sql/],
    ['0001-more.sql', /migrations\/0001-more\.sql and migrations\/0001-things\.sql have the same number/],
  ])('are refused when one is named %s', async (name, message) => {
    await write({ '0001-things.sql': 'select 1;', [name]: 'select 1;' });
    await expect(migrateOwn()).rejects.toThrow(message);
  });
});

describe('the functions', () => {
  const one = 'create function willcall.one() returns int language sql return 1;';

  it('are applied anew when their text changed, and only then', async () => {
    await write({ 'functions/one.sql': one, 'functions/two.sql': one.replaceAll('one', 'two') });
    await migrateOwn();
    await write({ 'functions/one.sql': one.replace('return 1', 'return 11') });
    expect((await migrateOwn()).functionTexts).toEqual(['functions/one.sql']);
    expect(await query('select willcall.one(), willcall.two()')).toEqual([{ one: 11, two: 1 }]);
    expect((await migrateOwn()).functionTexts).toEqual([]);
  });

  it('leave no overload behind when their signature or their name changes', async () => {
    await write({
      'functions/one.sql': `${one}\n${one.replace('one()', 'one(_x int)')}\n${one.replace('one', 'uno')}`,
    });
    await migrateOwn();
    expect(await functionsOf('willcall')).toEqual(['one()', 'one(integer)', 'uno()']);
    await write({
      'functions/one.sql': `create or replace function willcall.one(_x text) returns text language sql return _x;`,
    });
    await migrateOwn();
    expect(await functionsOf('willcall')).toEqual(['one(text)']);
  });

  it('may move from one file to another', async () => {
    await write({
      'functions/a.sql': `${one}\n${one.replace('one', 'uno')}`,
      'functions/b.sql': one.replace('one', 'two'),
    });
    await migrateOwn();
    await write({
      'functions/a.sql': one,
      'functions/b.sql': `${one.replace('one', 'two')}\n${one.replace('one', 'uno')}`,
    });
    await migrateOwn();
    expect(await functionsOf('willcall')).toEqual(['one()', 'two()', 'uno()']);
  });

  it('go with the file that defined them', async () => {
    await write({ 'functions/one.sql': one, 'functions/two.sql': one.replace('one', 'two') });
    await migrateOwn();
    await rm(join(directory, 'functions/one.sql'));
    expect((await migrateOwn()).droppedFunctionTexts).toEqual(['functions/one.sql']);
    expect(await functionsOf('willcall')).toEqual(['two()']);
    expect((await migrateOwn()).droppedFunctionTexts).toEqual([]);
  });

  it('stay as they were when one of the new texts is broken', async () => {
    await write({ 'functions/one.sql': one, 'functions/two.sql': one.replace('one', 'two') });
    await migrateOwn();
    await write({ 'functions/one.sql': one.replace('return 1', 'return 11') });
    await write({ 'functions/two.sql': 'create function willcall.two()\nreturns int\nlanguage nonsense as $$ $$;' });
    await expect(migrateOwn()).rejects.toThrow(
      /^migrations\/functions\/two\.sql failed: language "nonsense" does not exist/,
    );
    expect(await query('select willcall.one(), willcall.two()')).toEqual([{ one: 1, two: 1 }]);
  });

  it.each([
    [
      { 'functions/a.sql': one, 'functions/b.sql': one },
      /functions\/a\.sql and migrations\/functions\/b\.sql both define one/,
    ],
    [{ 'functions/a.sql': '-- create function willcall.one()' }, /migrations\/functions\/a\.sql defines no function/],
  ])('are refused when files cannot be told apart or say nothing (%#)', async (files, message) => {
    await write(files);
    await expect(migrateOwn()).rejects.toThrow(message);
  });
});

describe('the grants', () => {
  const files = {
    '0001-things.sql': 'create table willcall.thing (id int);',
    'functions/one.sql': 'create function willcall.one() returns int language sql return 1;',
    'grants.sql': `grant usage on schema willcall to willcall_runtime;
      grant select on all tables in schema willcall to willcall_runtime;
      revoke all on all functions in schema willcall from public;
      grant execute on all functions in schema willcall to willcall_runtime;`,
  };

  it('cover a function that was replaced and a table that a new migration made', async () => {
    await write(files);
    await migrateOwn();
    await write({ 'functions/one.sql': files['functions/one.sql'].replace('return 1', 'return 11') });
    expect((await migrateOwn()).functionTexts).toEqual(['functions/one.sql', 'grants.sql']);
    await write({ '0002-more.sql': 'create table willcall.other (id int);' });
    expect((await migrateOwn()).functionTexts).toEqual(['grants.sql']);
    expect(await asRuntime('select willcall.one()')).toEqual([{ one: 11 }]);
    expect(await asRuntime('select * from willcall.other')).toEqual([]);
    await expect(asRuntime('insert into willcall.other values (1)')).rejects.toThrow(/permission denied/);
  });

  async function asRuntime(text: string): Promise<object[]> {
    const client = new Client({ connectionString: database.url });
    await client.connect();
    try {
      await client.query('set role willcall_runtime');
      return (await client.query(text)).rows;
    } finally {
      await client.end();
    }
  }

  it('are applied anew for another runtime role', async () => {
    await write(files);
    await migrateOwn();
    const runtimeRole = roleName();
    expect((await migrateOwn({ runtimeRole })).functionTexts).toEqual(['grants.sql']);
    expect(await query(`select has_table_privilege('${runtimeRole}', 'willcall.thing', 'select') as may`)).toEqual([
      { may: true },
    ]);
  });
});

describe('other names', () => {
  it("carry the product's own schema, so that two of them live side by side in one database", async () => {
    const schemas = ['willcall', 'order'];
    const reports = await Promise.all(
      schemas.map((schema) => migrate({ ownerUrl: database.url, schema, runtimeRole: 'willcall_runtime' })),
    );
    expect(reports[0]).toEqual(reports[1]);
    const tables = await query<{ schema: string; names: string }>(
      `select table_schema as schema, string_agg(table_name, ' ' order by table_name) as names
         from information_schema.tables
        where table_schema in ('willcall', 'order')
        group by table_schema`,
    );
    expect(tables).toHaveLength(2);
    expect(tables[0]?.names).toBe(tables[1]?.names);
    const own = await query<{ source: string }>(
      `select prosrc as source from pg_proc where pronamespace = '"order"'::regnamespace`,
    );
    expect(own.length).toBeGreaterThan(0);
    expect(own.filter(({ source }) => /\bwillcall\./.test(source))).toEqual([]);
    await query('drop schema willcall cascade');
    expect((await functionsOf('"order"')).length).toBe(own.length);
  });

  it('are put in where the text means the schema or the role, and nowhere else', async () => {
    const runtimeRole = roleName();
    await write({
      '0001-things.sql': `
        create table willcall.thing (id int, by text default 'willcall', lock int default hashtext('willcall.thing'));
        create table willcall.my_willcall (willcall_runtimes int);
        grant usage on schema willcall to willcall_runtime;`,
    });
    await migrateOwn({ schema: 'other', runtimeRole });
    expect(
      await query(`insert into other.thing default values returning by, lock = hashtext('"other".thing') as same`),
    ).toEqual([{ by: 'willcall', same: true }]);
    expect(await query('select willcall_runtimes from other.my_willcall')).toEqual([]);
    expect(await query(`select has_schema_privilege('${runtimeRole}', 'other', 'usage') as may`)).toEqual([
      { may: true },
    ]);
  });

  it.each(['Willcall', 'will-call', '1st', '', 'a"b', 'x'.repeat(64)])(
    'are refused when they need care: %j',
    async (name) => {
      await expect(migrateOwn({ schema: name })).rejects.toThrow(/^The schema name .* cannot be used: choose/);
      await expect(migrateOwn({ runtimeRole: name })).rejects.toThrow(/^The role name .* cannot be used: choose/);
    },
  );
});

describe('a user without the rights', () => {
  it('is told the SQL that makes the role, and succeeds once an administrator has run it', async () => {
    const { user, url } = await createUser();
    const runtimeRole = roleName();
    await query(`create schema willcall authorization ${user}`);
    const advice = `create role "${runtimeRole}" nologin; grant "${runtimeRole}" to ${user};`;
    await expect(migrateOwn({ ownerUrl: url, runtimeRole })).rejects.toThrow(
      `The database user ${user} may not create the role "${runtimeRole}". Have an administrator run: ${advice}`,
    );
    await query(advice);
    await write({ '0001-things.sql': 'create table willcall.thing (id int);' });
    expect((await migrateOwn({ ownerUrl: url, runtimeRole })).migrations).toEqual(['0001-things']);
  });

  it('is told all the SQL at once, and succeeds once an administrator has run it', async () => {
    const { user, url } = await createUser();
    const { user: serviceLogin } = await createUser();
    const runtimeRole = roleName();
    const advice =
      `create role "${runtimeRole}" nologin; grant "${runtimeRole}" to ${user}; ` +
      `create schema "willcall" authorization ${user}; grant "${runtimeRole}" to ${serviceLogin};`;
    await expect(migrateOwn({ ownerUrl: url, runtimeRole, serviceLogin })).rejects.toThrow(
      `The database user ${user} may not create the role "${runtimeRole}", nor create the schema "willcall". ` +
        `Have an administrator run, in this database: ${advice}`,
    );
    await query(advice);
    await write({ '0001-things.sql': 'create table willcall.thing (id int);' });
    expect((await migrateOwn({ ownerUrl: url, runtimeRole, serviceLogin })).migrations).toEqual(['0001-things']);
  });

  it('is told the SQL that grants a role which exists', async () => {
    const { user, url } = await createUser();
    const runtimeRole = roleName();
    await query(`create role ${runtimeRole}; create schema willcall authorization ${user}`);
    await expect(migrateOwn({ ownerUrl: url, runtimeRole })).rejects.toThrow(
      `may not take on the role "${runtimeRole}". Have an administrator run: grant "${runtimeRole}" to ${user};`,
    );
  });

  it('is told the SQL that makes the schema', async () => {
    const { user, url } = await createUser();
    const runtimeRole = roleName();
    await query(`create role ${runtimeRole}; grant ${runtimeRole} to ${user}`);
    await expect(migrateOwn({ ownerUrl: url, runtimeRole })).rejects.toThrow(
      `may not create the schema "willcall". Have an administrator run, in this database: create schema "willcall" authorization ${user};`,
    );
  });

  it('may create the runtime role itself when it has createrole, and can take it on', async () => {
    const { user, url } = await createUser();
    const runtimeRole = roleName();
    await query(`alter role ${user} createrole; create schema willcall authorization ${user}`);
    await migrateOwn({ ownerUrl: url, runtimeRole });
    expect(await query(`set role ${runtimeRole}`, url)).toBeDefined();
  });
});

it('says where it could not connect, without the password', async () => {
  const refused = migrateOwn({ ownerUrl: 'postgres://someone:hush@127.0.0.1:1/nowhere' });
  await expect(refused).rejects.toThrow(
    /^Could not connect to the database nowhere at 127\.0\.0\.1:1: .*Check DATABASE_URL/,
  );
  await expect(refused).rejects.not.toThrow(/hush/);
  await expect(refused).rejects.toBeInstanceOf(MigrationError);
});
