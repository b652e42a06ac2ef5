// Who may do what with the embedded PostgreSQL: what its service can become, what lies on the disk
// and who may read it, and what its processes show of themselves.

import { existsSync } from 'node:fs';
import { chmod, lstat, mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Client } from 'pg';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type EmbeddedPostgres, startEmbeddedPostgres } from '../../src/embedded/index.ts';
import { migrate } from '../../src/store/schema/migrate.ts';

const RUNTIME_ROLE = 'willcall_runtime';

let dataDir: string;
let server: EmbeddedPostgres;
let serviceUrl: string;
let service: Client;

const connect = async (url: string): Promise<Client> => {
  const client = new Client({ connectionString: url });
  client.on('error', () => {});
  await client.connect();
  return client;
};

beforeAll(async () => {
  dataDir = await mkdtemp(join(tmpdir(), 'willcall-rights-'));
  // For the account that root hands the server to.
  await chmod(dataDir, 0o755);
  server = await startEmbeddedPostgres({ dataDir, settings: { fsync: 'off' } });
  await migrate({ ownerUrl: server.localUrl, schema: 'willcall', runtimeRole: RUNTIME_ROLE });
  serviceUrl = await server.openServiceUrl(RUNTIME_ROLE);
  service = await connect(serviceUrl);
});
afterAll(async () => {
  await service?.end();
  await server?.stop();
  await rm(dataDir, { recursive: true, force: true, maxRetries: 10 });
});

describe('the login of the service', () => {
  it('is no superuser, and a member of the runtime role alone', async () => {
    const { rows } = await service.query(
      `select rolsuper, rolcreaterole, rolcreatedb, rolreplication, rolbypassrls,
         array(select roleid::regrole::text from pg_auth_members where member = r.oid) as roles
       from pg_roles r where rolname = session_user`,
    );
    const none = { rolsuper: false, rolcreaterole: false, rolcreatedb: false, rolreplication: false };
    expect(rows).toEqual([{ ...none, rolbypassrls: false, roles: [RUNTIME_ROLE] }]);
  });

  it.each([
    'set role willcall',
    'set session authorization willcall',
    "select set_config('role', 'willcall', false)",
    'delete from willcall.acknowledgment',
    'truncate willcall.acknowledgment',
    'alter table willcall.acknowledgment disable trigger all',
    'drop schema willcall cascade',
    "alter role willcall password 'mine'",
    'alter role willcall_service superuser',
    "copy (select 1) to program 'true'",
    'select * from pg_authid',
  ])('cannot %s', async (text) => {
    await service.query(`set role ${RUNTIME_ROLE}`);
    for (const first of ['select 1', 'reset role']) {
      await service.query(first);
      await expect(service.query(text)).rejects.toMatchObject({ code: '42501' });
    }
  });

  it('does the work of the runtime role', async () => {
    await service.query('reset role');
    await service.query("select willcall.prune_ledger(1, 1, 1), 'of the ledger'");
    expect((await service.query('select count(*)::int as count from willcall.topic')).rows).toEqual([{ count: 0 }]);
  });

  it('has another password after each start, and the old one is good for nothing', async () => {
    const next = await server.openServiceUrl(RUNTIME_ROLE);
    expect(new URL(next).password).toHaveLength(43);
    expect(new URL(next).password).not.toBe(new URL(serviceUrl).password);
    await expect(connect(serviceUrl)).rejects.toMatchObject({ code: '28P01' });
    await (await connect(next)).end();
  });
});

/** Every file and directory below. */
async function* walk(directory: string): AsyncGenerator<string> {
  for (const name of await readdir(directory)) {
    const path = join(directory, name);
    yield path;
    if ((await lstat(path)).isDirectory()) yield* walk(path);
  }
}

describe('what the embedded PostgreSQL keeps', () => {
  it('is for the eyes of its account alone, its socket too', async () => {
    const open: string[] = [];
    let seen = 0;
    for (const root of new Set([dataDir, server.dataDir])) {
      for await (const path of walk(root)) {
        const found = await lstat(path).catch(() => undefined);
        if (found === undefined || found.isSymbolicLink()) continue;
        seen += 1;
        // The socket's own mode lets in who may enter its directory; that is nobody else.
        if ((found.mode & 0o077) !== 0) open.push(path);
      }
    }
    expect(seen).toBeGreaterThan(100);
    expect(open).toEqual([]);
    expect((await lstat(server.dataDir)).mode & 0o777).toBe(0o700);
  });

  it('holds no password in clear but in the one file for it', async () => {
    const owner = (await readFile(join(dataDir, 'postgres-password'), 'utf8')).trim();
    const passwords = [owner, new URL(serviceUrl).password];
    const holding: string[] = [];
    for (const root of new Set([dataDir, server.dataDir])) {
      for await (const path of walk(root)) {
        const found = await lstat(path).catch(() => undefined);
        if (!found?.isFile()) continue;
        const bytes = await readFile(path);
        if (passwords.some((password) => bytes.includes(password))) holding.push(path);
      }
    }
    expect([...new Set(holding)]).toEqual([join(dataDir, 'postgres-password')]);
  });

  it('is reached with a password only, whoever asks and from wherever', async () => {
    const owner = await connect(server.localUrl);
    const { rows } = await owner.query<{ type: string; address: string | null; method: string }>(
      'select distinct type, address, auth_method as method from pg_hba_file_rules',
    );
    await owner.end();
    expect(new Set(rows.map(({ method }) => method))).toEqual(new Set(['scram-sha-256']));
    const addresses = rows.map(({ address }) => address).filter((address) => address !== null);
    expect(addresses.every((address) => ['127.0.0.1', '::1'].includes(address))).toBe(true);
  });
});

describe.runIf(existsSync('/proc/self/cmdline'))('the processes of the embedded PostgreSQL', () => {
  it('show no password in their arguments, and get nothing of the environment of the service', async () => {
    const postmaster = Number.parseInt(await readFile(join(server.dataDir, 'postmaster.pid'), 'utf8'), 10);
    const pids = [String(postmaster)];
    for (const pid of (await readdir('/proc')).filter((name) => /^\d+$/.test(name))) {
      const stat = await readFile(`/proc/${pid}/stat`, 'utf8').catch(() => '');
      if (
        Number(
          stat
            .slice(stat.lastIndexOf(')') + 1)
            .trim()
            .split(' ')[1],
        ) === postmaster
      )
        pids.push(pid);
    }
    expect(pids.length).toBeGreaterThan(2);
    const hidden = [(await readFile(join(dataDir, 'postgres-password'), 'utf8')).trim(), new URL(serviceUrl).password];
    for (const pid of pids) {
      const shown = await readFile(`/proc/${pid}/cmdline`, 'utf8').catch(() => '');
      const environment = await readFile(`/proc/${pid}/environ`, 'utf8').catch(() => '');
      for (const each of hidden) expect(shown + environment).not.toContain(each);
      const names = environment.split('\0').map((pair) => pair.split('=')[0]);
      for (const name of names) expect(name).toMatch(/^(PATH|LC_\w+|TZ|PG\w+|PWD|OLDPWD|SHLVL|_|)$/);
    }
  });
});
