// The service on a database where nobody it knows is a superuser: set up by the statements of
// docs/operations.md, migrated by an owner, run by a login that is a member of the runtime role.
// Then everything that this login might try.

import { randomBytes } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { Client, type QueryResultRow } from 'pg';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import type { Config } from '../../../src/config.ts';
import { createStore } from '../../../src/store/index.ts';
import { createEmptyDatabase, type TestDatabase } from '../../support/database.ts';
import { startTestService, type TestService } from '../../support/service.ts';

const suffix = randomBytes(4).toString('hex');
const names = {
  runtime: `runtime_${suffix}`,
  owner: `owner_${suffix}`,
  app: `app_${suffix}`,
  stranger: `other_${suffix}`,
};
const passwords = { owner: `owner-${suffix}`, app: `app-${suffix}` };

let database: TestDatabase;
let administrator: Client;
/** As whoever has got hold of the password of the running service. */
let thief: Client;
let service: TestService;

const connect = async (user?: string, password = ''): Promise<Client> => {
  const url = new URL(database.url);
  if (user !== undefined) Object.assign(url, { username: user, password });
  const client = new Client({ connectionString: url.href });
  await client.connect();
  return client;
};
const urlOf = (user: string, password: string): string => {
  const url = new URL(database.url);
  Object.assign(url, { username: user, password });
  return url.href;
};
const rowsOf = async <Row extends QueryResultRow>(client: Client, text: string, values: unknown[] = []) =>
  (await client.query<Row>(text, values)).rows;

/** The statements of the documentation, with names and passwords of this test. */
const readStatements = async (): Promise<string> => {
  const page = await readFile(join(import.meta.dirname, '../../../docs/operations.md'), 'utf8');
  const [, sql = ''] = /<!-- roles:start -->\s*```sql\n([\s\S]*?)```/.exec(page) ?? [];
  expect(sql).toContain('create role willcall_owner');
  return sql
    .replace("willcall_owner login password '…'", `willcall_owner login password '${passwords.owner}'`)
    .replace("willcall_app login password '…'", `willcall_app login password '${passwords.app}'`)
    .replaceAll('willcall_runtime', names.runtime)
    .replaceAll('willcall_owner', names.owner)
    .replaceAll('willcall_app', names.app)
    .replaceAll('database app', `database ${database.name}`);
};

beforeAll(async () => {
  database = await createEmptyDatabase();
  administrator = await connect();
  await administrator.query(await readStatements());
  await administrator.query(`create role ${names.stranger} login password 'x'`);
  await administrator.query(`grant connect on database ${database.name} to ${names.stranger}`);
  service = await startTestService({
    databaseUrl: urlOf(names.app, passwords.app),
    databaseOwnerUrl: urlOf(names.owner, passwords.owner),
    runtimeRole: names.runtime,
  });
  thief = await connect(names.app, passwords.app);
});
afterAll(async () => {
  await thief?.end();
  await service?.stop();
  const roles = Object.values(names).join(', ');
  await administrator.query('drop schema if exists willcall cascade');
  await administrator.query(`drop owned by ${roles}`);
  await administrator.query(`drop role ${roles}`);
  await administrator.end();
  await database.drop();
});

const ledger = () =>
  rowsOf(administrator, 'select * from willcall.acknowledgment order by topic_id, subscription_id, ack_no');
const sign = async (): Promise<void> => {
  const { client } = service;
  const name = await client.freshSubscription();
  await client.publish(name, 'a', 'b');
  const receipts = (await client.receive(name)).map(({ receipt }) => receipt);
  expect((await client.post(`/v1/subscriptions/${name}/acknowledge`, { receipts })).status).toBe(200);
};

describe('a service without a superuser', () => {
  it('migrates, works, and has a login that is nothing but a member of the runtime role', async () => {
    await sign();
    const users = await rowsOf(
      administrator,
      `select distinct r.rolname, r.rolsuper, r.rolcreaterole, r.rolcreatedb, r.rolbypassrls, r.rolreplication
       from pg_stat_activity a join pg_roles r on r.rolname = a.usename
       where a.datname = current_database() and a.application_name = 'willcall'`,
    );
    const none = {
      rolsuper: false,
      rolcreaterole: false,
      rolcreatedb: false,
      rolbypassrls: false,
      rolreplication: false,
    };
    expect(users).toEqual([{ rolname: names.app, ...none }]);
    const memberships = await rowsOf(
      administrator,
      'select roleid::regrole::text as role from pg_auth_members where member = $1::regrole',
      [names.app],
    );
    expect(memberships).toEqual([{ role: names.runtime }]);
    const owner = await rowsOf(administrator, 'select rolsuper from pg_roles where rolname = $1', [names.owner]);
    expect(owner).toEqual([{ rolsuper: false }]);
  });

  it('has an upkeep that keeps to its rights, too', async () => {
    await sign();
    const before = await ledger();
    for (const call of ['prune_ledger(1, 1, 100)', 'prune_ledger(0, 0, 2147483647)']) {
      await thief.query(`select willcall.${call}`);
    }
    expect(await ledger()).toEqual(before);
  });
});

describe('the start of a service', () => {
  it.each([
    ['a member of the runtime role', 'app', false, { altersLedger: false, loginOwnsLedger: false }],
    ['the owner, who has taken on the runtime role', 'owner', true, { altersLedger: false, loginOwnsLedger: true }],
    ['the owner as such', 'owner', false, { altersLedger: true, loginOwnsLedger: true }],
  ] as const)('tells apart %s', async (_, who, takesOn, told) => {
    const store = createStore({
      url: urlOf(names[who], passwords[who]),
      schema: 'willcall',
      runtimeRole: takesOn ? names.runtime : null,
      connectionsMax: 1,
      logger: { debug() {}, info() {}, warn() {}, error() {} },
    });
    expect(await store.checkRights()).toMatchObject({ complete: true, ...told });
    await store.stop();
  });
});

describe('an instance with the password of the service alone', () => {
  const start = (settings: Partial<Config>) =>
    startTestService({ databaseUrl: urlOf(names.app, passwords.app), runtimeRole: names.runtime, ...settings });

  it('starts where there is nothing to migrate, and works', async () => {
    const other = await start({});
    const name = 'of-another-instance';
    expect((await other.client.call('PUT', `/v1/subscriptions/${name}`)).status).toBe(201);
    await other.client.publish(name, 'a');
    expect(await other.client.receive(name)).toHaveLength(1);
    await other.stop();
  });

  it('does not start where there is something, and changes nothing', async () => {
    const text = "update willcall.function_text set sha256 = $1 where name = 'grants.sql' returning sha256";
    const [kept] = await rowsOf(administrator, "select sha256 from willcall.function_text where name = 'grants.sql'");
    await administrator.query(text, ['other']);
    await expect(start({})).rejects.toThrow(/Connect as the owner of the schema \(DATABASE_OWNER_URL\)/);
    expect(await rowsOf(administrator, "select sha256 from willcall.function_text where name = 'grants.sql'")).toEqual([
      { sha256: 'other' },
    ]);
    await administrator.query(text, [kept?.sha256]);
  });
});

describe('whoever has the password of the service', () => {
  const append = 'select * from willcall.acknowledgment';
  const attempts: readonly [string, string][] = [
    ['become the owner', `set role ${names.owner}`],
    ['become the owner by a function', `select set_config('role', '${names.owner}', false)`],
    ['be the owner from the start', `set session authorization ${names.owner}`],
    ['become who made the database', 'set role pg_database_owner'],
    ['pass on what it has not', `grant ${names.owner} to ${names.app}`],
    ['change rows', "update willcall.acknowledgment set acknowledged_by = 'x'"],
    [
      'change rows by merging',
      "merge into willcall.acknowledgment a using (select 1) s on true when matched then update set acknowledged_by = 'x'",
    ],
    ['lock rows as if to change them', `${append} for update`],
    ['lock out those who read', 'begin; lock table willcall.acknowledgment in access exclusive mode'],
    ['delete rows', 'delete from willcall.acknowledgment'],
    ['delete rows with those of another table', 'truncate willcall.acknowledgment, willcall.dedupe_key_even'],
    ['empty it', 'truncate willcall.acknowledgment cascade'],
    ['write it from a file', "copy willcall.acknowledgment from '/etc/passwd'"],
    ['run a program', "copy willcall.acknowledgment to program 'true'"],
    ['read a file', "select pg_read_file('/etc/passwd')"],
    ['drop it', 'drop table willcall.acknowledgment'],
    ['drop everything', 'drop schema willcall cascade'],
    ['drop what the owner has', `drop owned by ${names.owner} cascade`],
    ['rename it', 'alter table willcall.acknowledgment rename to hidden'],
    ['rename its schema', 'alter schema willcall rename to hidden'],
    ['own it', `alter table willcall.acknowledgment owner to ${names.app}`],
    ['take its triggers away', 'alter table willcall.acknowledgment disable trigger all'],
    ['go past its constraints', 'alter table willcall.acknowledgment drop constraint acknowledgment_once'],
    ['go past triggers and foreign keys', 'set session_replication_role = replica'],
    ['put a rule before it', 'create rule r as on insert to willcall.acknowledgment do instead nothing'],
    ['put a policy before it', 'create policy p on willcall.acknowledgment using (false)'],
    [
      'put a trigger before it',
      'create trigger t before insert on willcall.acknowledgment execute function suppress()',
    ],
    ['put an index on it', 'create index on willcall.acknowledgment (ack_no)'],
    ['make a child of it', 'create temp table child () inherits (willcall.acknowledgment)'],
    ['make a table beside it', 'create table willcall.acknowledgments (like willcall.acknowledgment)'],
    ['make a schema', 'create schema mine'],
    [
      'replace a function',
      'create or replace function willcall.prune_ledger(integer, integer, integer) returns bigint language sql as $$ select 0 $$',
    ],
    [
      'make a function beside',
      'create function willcall.clock_timestamp() returns timestamptz language sql as $$ select null $$',
    ],
    ["change a function's rights", 'alter function willcall.prune_ledger security invoker'],
    ["change a function's settings", 'alter function willcall.prune_ledger set search_path = pg_temp'],
    ['say how long it is kept', 'update willcall.ledger_policy set retention_seconds = 1'],
    ['say it beside', 'insert into willcall.ledger_policy (only_row, retention_seconds) values (true, 1)'],
    ['have it migrated anew', 'delete from willcall.migration'],
    ['have functions applied anew', 'delete from willcall.function_text'],
    ['change the catalogue', "update pg_catalog.pg_class set relname = 'hidden' where relname = 'acknowledgment'"],
    ['read the passwords', 'select * from pg_catalog.pg_authid'],
    ['change the server', "alter system set archive_mode = 'off'"],
    ['load code', 'load $$/tmp/x.so$$'],
    ['change a key', "update willcall.api_key set roles = '[]'"],
    ['delete a key', 'delete from willcall.api_key'],
  ];

  beforeEach(() => sign());

  it.each(attempts)('cannot %s', async (_, text) => {
    const before = await ledger();
    expect(before.length).toBeGreaterThan(0);
    await expect(thief.query(text)).rejects.toThrow(
      /permission denied|must be owner|must be superuser|must be able to|must have|not allowed|permission/,
    );
    await thief.query('rollback; reset all');
    expect(await ledger()).toEqual(before);
  });

  it('has on the ledger the rights to read and to append, and can give nobody more', async () => {
    // PostgreSQL warns of this one and does nothing.
    await thief.query(`grant all on willcall.acknowledgment to ${names.app}`);
    const rights = await rowsOf<{ grantee: string; rights: string }>(
      administrator,
      `select x.grantee::regrole::text as grantee, string_agg(x.privilege_type, ', ' order by x.privilege_type) as rights
       from pg_class c, aclexplode(c.relacl) x
       where c.oid = 'willcall.acknowledgment'::regclass and x.grantee <> c.relowner
       group by x.grantee`,
    );
    expect(rights).toEqual([{ grantee: names.runtime, rights: 'INSERT, SELECT' }]);
  });

  it('may not even make a table of its own, nor a temporary one', async () => {
    for (const table of ['public.mine', 'pg_temp.mine']) {
      await expect(thief.query(`create table ${table} (a int)`)).rejects.toMatchObject({ code: '42501' });
    }
  });

  it('cannot have the one function of the owner believe in tables and functions of its own', async () => {
    const before = await ledger();
    // By a policy that lets nothing of today go.
    await administrator.query('update willcall.ledger_policy set retention_seconds = 3153600000');
    // As where the database is shared, and everybody may.
    await administrator.query(`grant temporary on database ${database.name} to ${names.app}`);
    await administrator.query(`create schema trap authorization ${names.app}`);
    await thief.query(`
      create temp table ledger_policy as select true as only_row, 1::bigint as retention_seconds;
      create temp table acknowledgment as select * from willcall.acknowledgment;
      create function trap.clock_timestamp() returns timestamptz language sql as $$ select 'infinity'::timestamptz $$;
      create function trap.hashtext(text) returns integer language plpgsql
        as $$ begin delete from willcall.acknowledgment; return 1; end $$;
      grant usage on schema trap to public;
      set search_path = trap, pg_temp, willcall, pg_catalog;
    `);
    const pruned = await rowsOf<{ pruned: string }>(
      thief,
      `select sum(willcall.prune_ledger(a.topic_id, a.subscription_id, 100)) as pruned
       from (select distinct topic_id, subscription_id from willcall.acknowledgment) a`,
    );
    expect(pruned).toEqual([{ pruned: '0' }]);
    expect(await ledger()).toEqual(before);
    await thief.query('discard all');
    await thief.query('drop schema trap cascade');
    await administrator.query('update willcall.ledger_policy set retention_seconds = null');
  });

  it('can append a row that nobody signed, which is why a row alone is no proof', async () => {
    const [last] = (await ledger()).slice(-1);
    const forged = `insert into willcall.acknowledgment
      select topic_id, subscription_id, ack_no + 1, seq + 1000, delivery_no, published_at, delivered_at, acknowledged_at,
        generation, attempt, body_bytes, revision, late, message_id, body_sha256, 'somebody', reference, published_by,
        key_id, reference_salt
      from willcall.acknowledgment where topic_id = $1 and subscription_id = $2 and ack_no = $3`;
    const { rowCount } = await thief.query(forged, [last?.topic_id, last?.subscription_id, last?.ack_no]);
    expect(rowCount).toBe(1);
  });
});

describe('somebody else in the same database', () => {
  it('may send wakeups, which makes an instance look and does nothing else', async () => {
    const { client } = service;
    const name = await client.freshSubscription();
    const stranger = await connect(names.stranger, 'x');
    const words = [
      '',
      ' ',
      '*',
      'x *',
      'x tNaN s-1 k',
      'x t1e999 s1.5 kwk_',
      `x ${'t1 '.repeat(2000)}`,
      '\u2028{"a":1}',
    ];
    for (const word of words) await stranger.query('select pg_notify($1, $2)', ['willcall_wakeup', word]);
    await stranger.end();
    await client.publish(name, 'after');
    expect(await client.receive(name)).toHaveLength(1);
  });
});

describe("the owner's functions and the schema", () => {
  it('are closed to everybody but the runtime role', async () => {
    const open = await rowsOf(
      administrator,
      `select p.oid::regprocedure::text as opened from pg_proc p, aclexplode(coalesce(p.proacl, acldefault('f', p.proowner))) x
       where p.pronamespace = 'willcall'::regnamespace and x.grantee not in (p.proowner, $1::regrole)
       union all
       select c.oid::regclass::text from pg_class c, aclexplode(c.relacl) x
       where c.relnamespace = 'willcall'::regnamespace and x.grantee not in (c.relowner, $1::regrole)
       union all
       select nspname from pg_namespace n, aclexplode(n.nspacl) x
       where nspname = 'willcall' and x.grantee not in (n.nspowner, $1::regrole)`,
      [names.runtime],
    );
    expect(open).toEqual([]);
    const stranger = await connect(names.stranger, 'x');
    await expect(stranger.query('select * from willcall.topic')).rejects.toMatchObject({ code: '42501' });
    await expect(stranger.query('select willcall.prune_ledger(1, 1, 1)')).rejects.toMatchObject({ code: '42501' });
    await stranger.end();
  });

  it("are the owner's, and what runs with the owner's rights names its search path", async () => {
    const owned = await rowsOf(
      administrator,
      `select distinct proowner::regrole::text as owner from pg_proc where pronamespace = 'willcall'::regnamespace
       union select relowner::regrole::text from pg_class where relnamespace = 'willcall'::regnamespace
       union select nspowner::regrole::text from pg_namespace where nspname = 'willcall'`,
    );
    expect(owned).toEqual([{ owner: names.owner }]);
    const definers = await rowsOf<{ name: string; settings: string[] }>(
      administrator,
      `select proname as name, proconfig as settings from pg_proc
       where pronamespace = 'willcall'::regnamespace and prosecdef`,
    );
    expect(definers.map(({ name }) => name)).toEqual(['prune_ledger']);
    for (const { settings } of definers) expect(settings).toContain('search_path=pg_catalog, pg_temp');
  });
});
