// The service's own PostgreSQL, against everything that may befall it: stops, kills, races, and a
// root that it may not be.

import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import {
  chmod,
  chown,
  lstat,
  mkdtemp,
  readdir,
  readFile,
  rename,
  rm,
  stat,
  symlink,
  writeFile,
} from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { Client } from 'pg';
import { afterEach, expect, it, vi } from 'vitest';
import {
  type EmbeddedPostgres,
  type EmbeddedPostgresOptions,
  startEmbeddedPostgres,
} from '../../src/embedded/index.ts';

const run = promisify(execFile);
const SERVICE = fileURLToPath(new URL('../support/embedded-service.ts', import.meta.url));
const RUNS_AS_ROOT = process.getuid?.() === 0;

const directories: string[] = [];
const servers: EmbeddedPostgres[] = [];
const children: ChildProcess[] = [];

afterEach(async () => {
  for (const child of children.splice(0)) child.kill('SIGKILL');
  for (const server of servers.splice(0)) await server.stop();
  for (const directory of directories.splice(0)) {
    // The server of a service that was killed, or of a failed test.
    const orphan = await readPid(join(directory, 'postgres')).catch(() => undefined);
    if (orphan !== undefined) process.kill(orphan, 'SIGQUIT');
    await rm(directory, { recursive: true, force: true, maxRetries: 10 });
  }
});

/** A directory that every account may enter, unless `mode` says otherwise. */
async function makeDirectory(mode = 0o755): Promise<string> {
  const directory = await mkdtemp(join(tmpdir(), 'willcall-embedded-'));
  directories.push(directory);
  await chmod(directory, mode);
  return directory;
}

async function start(dataDir: string, options: Partial<EmbeddedPostgresOptions> = {}): Promise<EmbeddedPostgres> {
  const server = await startEmbeddedPostgres({ dataDir, settings: { fsync: 'off' }, ...options });
  servers.push(server);
  return server;
}

/** Starts a service in its own process and returns once it serves. */
async function startService(dataDir: string): Promise<{ child: ChildProcess; url: string }> {
  const child = spawn(process.execPath, [SERVICE, dataDir], { stdio: ['ignore', 'pipe', 'inherit'] });
  children.push(child);
  const [line] = await once(createInterface({ input: child.stdout }), 'line');
  return { child, url: JSON.parse(line).url };
}

async function query<Row extends object>(url: string, text: string): Promise<Row[]> {
  const client = new Client({ connectionString: url });
  client.on('error', () => {});
  await client.connect();
  try {
    return (await client.query<Row>(text)).rows;
  } finally {
    await client.end();
  }
}

async function remember(url: string): Promise<void> {
  await query(url, 'create table kept (value int); insert into kept values (42);');
}

async function readPid(clusterDir: string): Promise<number> {
  return Number.parseInt(await readFile(join(clusterDir, 'postmaster.pid'), 'utf8'), 10);
}

async function killServer(server: EmbeddedPostgres): Promise<void> {
  process.kill(await readPid(server.dataDir), 'SIGKILL');
}

/** From where the server sees its clients come: null is its socket. */
const CLIENT_ADDRESS = 'select host(client_addr) as address from pg_stat_activity where pid = pg_backend_pid()';

it('is reached by its socket, or by TCP where the path is too long', async () => {
  const near = await start(await makeDirectory());
  expect(await query(near.localUrl, CLIENT_ADDRESS)).toEqual([{ address: null }]);
  expect(await query(near.url, CLIENT_ADDRESS)).toEqual([{ address: '127.0.0.1' }]);
  const far = await start(join(await makeDirectory(), 'd'.repeat(90)));
  expect(await query(far.localUrl, CLIENT_ADDRESS)).toEqual([{ address: '127.0.0.1' }]);
});

it('keeps what was committed over a stop and a start', async () => {
  const dataDir = await makeDirectory();
  const first = await start(dataDir);
  await remember(first.url);
  await first.stop();
  const second = await start(dataDir);
  expect(second.adopted).toBe(false);
  expect(await query(second.url, 'select value from kept')).toEqual([{ value: 42 }]);
});

it('makes a durable UTF-8 cluster with checksums that only loopback and the password can reach', async () => {
  const dataDir = await makeDirectory();
  const { url, version, dataDir: clusterDir } = await start(dataDir, { settings: {} });
  const names = ['fsync', 'synchronous_commit', 'full_page_writes', 'data_checksums', 'server_encoding'];
  const nets = [
    'listen_addresses',
    'unix_socket_directories',
    'unix_socket_permissions',
    'password_encryption',
    'TimeZone',
  ];
  const rows = await query<{ name: string; setting: string }>(
    url,
    `select name, setting from pg_settings where name in ('${[...names, ...nets].join("','")}')`,
  );
  expect(Object.fromEntries(rows.map(({ name, setting }) => [name, setting]))).toEqual({
    fsync: 'on',
    synchronous_commit: 'on',
    full_page_writes: 'on',
    data_checksums: 'on',
    server_encoding: 'UTF8',
    listen_addresses: '127.0.0.1',
    unix_socket_directories: clusterDir,
    unix_socket_permissions: '0700',
    password_encryption: 'scram-sha-256',
    TimeZone: 'UTC',
  });
  expect(version).toMatch(/^18\./);
  expect((await stat(join(dataDir, 'postgres-password'))).mode & 0o777).toBe(0o600);
  const wrong = new URL(url);
  wrong.password = 'guessed';
  await expect(query(wrong.href, 'select 1')).rejects.toThrow(/password authentication failed/);
});

it('leaves nothing of its making behind but the cluster, its password and its log', async () => {
  const dataDir = await makeDirectory();
  await (await start(dataDir)).stop();
  await writeFile(join(dataDir, 'postgres-password.abandoned'), 'of a start that was killed');
  await start(dataDir);
  expect((await readdir(dataDir)).sort()).toEqual(['postgres', 'postgres-password', 'postgres.log']);
});

/** From /proc where there is one: a small Linux has no ps. */
async function readProcessGroup(pid: number | string): Promise<number> {
  const stat = await readFile(`/proc/${pid}/stat`, 'utf8').catch(() => null);
  // Behind the name of the program: state, parent, group.
  if (stat !== null) return Number(stat.slice(stat.lastIndexOf(')') + 2).split(' ')[2]);
  return Number((await run('ps', ['-o', 'pgid=', '-p', String(pid)])).stdout);
}

it('runs the server outside the process group of the service, out of reach of a Ctrl-C in its terminal', async () => {
  const server = await start(await makeDirectory());
  expect(await readProcessGroup(await readPid(server.dataDir))).not.toBe(await readProcessGroup(process.pid));
});

it('recovers what was committed when the server was killed', async () => {
  const dataDir = await makeDirectory();
  const first = await start(dataDir);
  await remember(first.url);
  await killServer(first);
  await first.stop();
  const second = await start(dataDir);
  expect(second.adopted).toBe(false);
  expect(await query(second.url, 'select value from kept')).toEqual([{ value: 42 }]);
});

it('is started again on its port when it was killed, with what was committed and the directory still its own', async () => {
  const dataDir = await makeDirectory();
  const server = await start(dataDir);
  await remember(server.url);
  const before = await readPid(server.dataDir);
  await killServer(server);
  await expect.poll(() => query(server.url, 'select value from kept').catch(() => null)).toEqual([{ value: 42 }]);
  expect(await readPid(server.dataDir)).not.toBe(before);
  // The lock is taken again a moment after the server answers.
  const locks = "select count(*)::integer as held from pg_locks where locktype = 'advisory' and granted";
  await expect.poll(() => query(server.url, locks)).toEqual([{ held: 1 }]);
  await expect(start(dataDir)).rejects.toThrow(/already runs on the data directory/);
});

it('is started again when somebody else stopped it in good order', async () => {
  const server = await start(await makeDirectory());
  const before = await readPid(server.dataDir);
  process.kill(before, 'SIGINT');
  await expect.poll(() => readPid(server.dataDir).catch(() => before)).not.toBe(before);
  await expect.poll(() => query(server.url, 'select 1 as one').catch(() => null)).toEqual([{ one: 1 }]);
});

it('waits for the processes that a killed server left behind before it starts a new one', async () => {
  const lines: string[] = [];
  let backend = 0;
  const server = await start(await makeDirectory(), {
    log(line) {
      if (!line.includes('does not serve yet')) return;
      lines.push(line);
      process.kill(backend, 'SIGKILL');
    },
  });
  const client = new Client({ connectionString: server.url });
  client.on('error', () => {});
  await client.connect();
  backend = (await client.query<{ pid: number }>('select pg_backend_pid() as pid')).rows[0]?.pid ?? 0;
  process.kill(backend, 'SIGSTOP');
  await killServer(server);
  await expect.poll(() => lines.length).toBe(1);
  expect(lines[0]).toMatch(/does not serve yet: .*still in use/s);
  await expect.poll(() => query(server.url, 'select 1 as one').catch(() => null)).toEqual([{ one: 1 }]);
});

it('is given up with a sentence when it cannot be started again', async () => {
  const server = await start(await makeDirectory());
  const control = join(server.dataDir, 'global', 'pg_control');
  await rename(control, `${control}.away`);
  await killServer(server);
  const { message } = await server.givenUp;
  expect(message).toContain(`The database in ${server.dataDir} has ended and cannot be started again: `);
  expect(message).toMatch(/pg_control.*\. Its log is .*postgres\.log\.$/s);
  await rename(`${control}.away`, control);
});

it('takes over the server that a killed service left running', async () => {
  const dataDir = await makeDirectory();
  const { child, url } = await startService(dataDir);
  await remember(url);
  const pid = await readPid(join(dataDir, 'postgres'));
  child.kill('SIGKILL');
  await once(child, 'exit');
  const server = await start(dataDir);
  expect(server.adopted).toBe(true);
  expect(server.url).toBe(url);
  expect(await readPid(server.dataDir)).toBe(pid);
  expect(await query(server.url, 'select value from kept')).toEqual([{ value: 42 }]);
});

it('stops the server that it took over', async () => {
  const dataDir = await makeDirectory();
  const { child } = await startService(dataDir);
  child.kill('SIGKILL');
  await once(child, 'exit');
  const server = await start(dataDir);
  await server.stop();
  await expect(readPid(server.dataDir)).rejects.toThrow(/ENOENT/);
  await expect(query(server.url, 'select 1')).rejects.toThrow(/ECONNREFUSED/);
});

it('refuses a data directory on which another service runs, naming it, and leaves that one alone', async () => {
  const dataDir = await makeDirectory();
  const { child, url } = await startService(dataDir);
  await expect(start(dataDir)).rejects.toThrow(
    `Another Willcall (process ${child.pid}) already runs on the data directory ${dataDir}: stop it first, or set ` +
      'WILLCALL_DATA_DIR to another directory for this one.',
  );
  expect(await query(url, 'select 1 as one')).toEqual([{ one: 1 }]);
});

it('goes on refusing others after the connection that guards the directory was broken', async () => {
  const dataDir = await makeDirectory();
  const first = await start(dataDir);
  const guards = `select a.pid from pg_locks l join pg_stat_activity a using (pid) where l.locktype = 'advisory' and l.granted`;
  const [before] = await query<{ pid: number }>(first.url, guards);
  await query(first.url, `select pg_terminate_backend(${before?.pid})`);
  await vi.waitFor(
    async () => {
      const [after] = await query<{ pid: number }>(first.url, guards);
      expect(after?.pid).toEqual(expect.any(Number));
      expect(after?.pid).not.toBe(before?.pid);
    },
    { timeout: 90_000 },
  );
  await expect(start(dataDir)).rejects.toThrow(/already runs on the data directory/);
});

it('lets exactly one of several services that begin at the same instant have the directory', async () => {
  const dataDir = await makeDirectory();
  for (const state of ['no cluster yet', 'a stopped cluster']) {
    const outcomes = await Promise.allSettled([start(dataDir), start(dataDir), start(dataDir)]);
    const refusals = outcomes.flatMap((outcome) => (outcome.status === 'rejected' ? [String(outcome.reason)] : []));
    expect(refusals, state).toHaveLength(2);
    for (const refusal of refusals) expect(refusal).toMatch(/Another Willcall .* already runs on the data directory/);
    const [winner] = servers.splice(0);
    expect(await query(winner?.url ?? '', 'select 1 as one')).toEqual([{ one: 1 }]);
    await winner?.stop();
  }
});

it('starts over a postmaster.pid whose process id belongs to a stranger by now, and spares the stranger', async () => {
  const dataDir = await makeDirectory();
  const first = await start(dataDir);
  const pidFile = join(first.dataDir, 'postmaster.pid');
  const lines = (await readFile(pidFile, 'utf8')).split('\n');
  await first.stop();
  const { uid, gid } = await stat(first.dataDir);
  // Of the same account: PostgreSQL itself tells strangers by their account alone.
  const stranger = spawn('sleep', ['600'], { uid, gid, cwd: '/' });
  children.push(stranger);
  await writeFile(pidFile, [stranger.pid, ...lines.slice(1)].join('\n'), { mode: 0o600 });
  await chown(pidFile, uid, gid);
  const second = await start(dataDir);
  expect(second.adopted).toBe(false);
  expect(await readPid(second.dataDir)).not.toBe(stranger.pid);
  expect(stranger.exitCode ?? stranger.signalCode).toBeNull();
});

it('does not take over the server of the directory that this one was copied from', async () => {
  const dataDir = await makeDirectory();
  const copyDir = await makeDirectory();
  await (await start(dataDir)).stop();
  await run('cp', ['-a', `${dataDir}/.`, copyDir]);
  const original = await start(dataDir);
  await run('cp', ['-a', join(original.dataDir, 'postmaster.pid'), join(copyDir, 'postgres')]);
  const copy = await start(copyDir);
  expect(copy.adopted).toBe(false);
  expect(copy.url).not.toBe(original.url);
  expect(await query(copy.url, `select current_setting('data_directory') as dir`)).toEqual([{ dir: copy.dataDir }]);
});

it('keeps the cluster where the account that runs it can reach it, and a link to it in a closed data directory', async () => {
  const sharedDir = join(await makeDirectory(), 'shared');
  const dataDir = await makeDirectory(0o700);
  const first = await start(dataDir, { sharedDir });
  await remember(first.url);
  await first.stop();
  const second = await start(dataDir, { sharedDir });
  expect(await query(second.url, 'select value from kept')).toEqual([{ value: 42 }]);
  expect((await stat(dataDir)).mode & 0o777).toBe(0o700);
  expect((await stat(join(dataDir, 'postgres-password'))).uid).toBe(process.getuid?.());
  expect((await lstat(join(dataDir, 'postgres'))).isSymbolicLink()).toBe(RUNS_AS_ROOT);
  expect(dirname(dirname(second.dataDir))).toBe(RUNS_AS_ROOT ? sharedDir : dirname(dataDir));
  const owner = (await stat(second.dataDir)).uid;
  expect(owner === process.getuid?.()).toBe(!RUNS_AS_ROOT);
});

it('refuses a link to a cluster that is gone instead of beginning with an empty one', async () => {
  const dataDir = await makeDirectory();
  await writeFile(join(dataDir, 'postgres-password'), 'secret', { mode: 0o600 });
  await symlink(join(dataDir, 'gone'), join(dataDir, 'postgres'));
  await expect(start(dataDir)).rejects.toThrow(/postgres points to a directory that does not exist: restore/);
});

it('names the password file that is missing', async () => {
  const dataDir = await makeDirectory();
  await (await start(dataDir)).stop();
  await rename(join(dataDir, 'postgres-password'), join(dataDir, 'elsewhere'));
  await expect(start(dataDir)).rejects.toThrow(/cannot be read from .*postgres-password \(ENOENT\): restore that file/);
});

it('refuses the data of another major version of PostgreSQL', async () => {
  const dataDir = await makeDirectory();
  const first = await start(dataDir);
  await first.stop();
  await writeFile(join(first.dataDir, 'PG_VERSION'), '17\n');
  await expect(start(dataDir)).rejects.toThrow(/made by PostgreSQL 17, but this Willcall brings PostgreSQL 18/);
});

it('tells what the server said when it does not start', async () => {
  const dataDir = await makeDirectory();
  const settings = { shared_preload_libraries: 'no_such_library' };
  await expect(start(dataDir, { settings })).rejects.toThrow(
    /did not start: .*no_such_library.*Its log is .*postgres\.log/s,
  );
});

it('sets a log that has grown big aside when it starts', async () => {
  const dataDir = await makeDirectory();
  await writeFile(join(dataDir, 'postgres.log'), Buffer.alloc(11 * 1024 * 1024, 'x'));
  await start(dataDir);
  expect((await stat(join(dataDir, 'postgres.log.1'))).size).toBe(11 * 1024 * 1024);
  expect((await stat(join(dataDir, 'postgres.log'))).size).toBeLessThan(1024 * 1024);
});
