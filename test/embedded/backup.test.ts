// Backups of the embedded PostgreSQL: taken under load, restored by starting on the copy, and as
// good as any data directory after that.

import { chmod, mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Client } from 'pg';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { backUpEmbeddedPostgres, type EmbeddedPostgres, startEmbeddedPostgres } from '../../src/embedded/index.ts';

// Small, so that the write-ahead log of the load goes round several times.
const SETTINGS = { fsync: 'off', max_wal_size: '64MB', min_wal_size: '32MB', checkpoint_timeout: '30s' };

let root: string;
const servers: EmbeddedPostgres[] = [];

beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), 'willcall-backup-'));
  await chmod(root, 0o755);
});
afterEach(async () => {
  for (const server of servers.splice(0)) await server.stop();
  await rm(root, { recursive: true, force: true });
});

async function start(dataDir: string): Promise<EmbeddedPostgres> {
  const server = await startEmbeddedPostgres({ dataDir, settings: SETTINGS });
  servers.push(server);
  return server;
}

async function connect(url: string): Promise<Client> {
  const client = new Client({ connectionString: url });
  client.on('error', () => {});
  await client.connect();
  return client;
}

async function value<T>(url: string, text: string): Promise<T> {
  const client = await connect(url);
  try {
    const { rows } = await client.query(text);
    return Object.values(rows[0])[0] as T;
  } finally {
    await client.end();
  }
}

/** 32,000 characters that do not compress. */
const FILL = `insert into kept
  select $1::int, string_agg(md5(random()::text), '') from generate_series(1, 1000)`;

/** Writes rows, each in a transaction of its own, until it is stopped; tells how many are there. */
async function load(url: string) {
  const client = await connect(url);
  await client.query('create table kept (no int primary key, filler text)');
  let written = 0;
  let stopped = false;
  const writing = (async () => {
    while (!stopped) {
      await client.query(FILL, [written + 1]);
      written += 1;
      // What is copied early is then older than where recovery would begin without a label.
      if (written % 3 === 0) await client.query('checkpoint');
      // Pages that are written before and after they are copied.
      await client.query('update kept set filler = reverse(filler) where no = 1 + $1::int % 7', [written]);
    }
  })();
  return {
    get written() {
      return written;
    },
    async stop() {
      stopped = true;
      await writing;
      await client.end();
    },
  };
}

it('is taken under load, and holds all that was committed before it ended, also after a later kill', async () => {
  const dataDir = join(root, 'data');
  const server = await start(dataDir);
  await writeFile(join(dataDir, 'admin-key'), 'the key', { mode: 0o600 });
  const writer = await load(server.url);
  await expect.poll(() => writer.written).toBeGreaterThan(50);
  const before = writer.written;
  const { folder, files, bytes } = await backUpEmbeddedPostgres({ dataDir, folder: join(root, 'copy') });
  const after = writer.written + 1;
  await writer.stop();
  expect(after).toBeGreaterThan(before);
  expect(files).toBeGreaterThan(100);
  expect(bytes).toBeGreaterThan(16 * 1024 * 1024);
  await server.stop();

  expect((await readdir(folder)).sort()).toEqual(['admin-key', 'postgres', 'postgres-password']);
  expect(await readFile(join(folder, 'admin-key'), 'utf8')).toBe('the key');
  expect((await stat(join(folder, 'admin-key'))).mode & 0o777).toBe(0o600);

  const restored = await start(folder);
  const kept = await value<number>(restored.url, 'select count(*)::int from kept');
  expect(kept).toBeGreaterThanOrEqual(before);
  expect(kept).toBeLessThanOrEqual(after);
  expect(await value(restored.url, 'select max(no) from kept')).toBe(kept);
  expect(await value(restored.url, 'select sum(length(filler))::bigint::text from kept')).toBe(`${kept * 32_000}`);

  await value(restored.url, 'insert into kept values (0) returning no');
  process.kill(Number.parseInt(await readFile(join(folder, 'postgres/postmaster.pid'), 'utf8'), 10), 'SIGKILL');
  await expect.poll(() => value(restored.url, 'select count(*)::int from kept').catch(() => null)).toBe(kept + 1);
});

it('starts a server that does not run, for as long as it takes', async () => {
  const dataDir = join(root, 'data');
  const server = await start(dataDir);
  await value(server.url, 'create table kept (no int)').catch(() => null);
  await value(server.url, 'insert into kept values (42) returning no');
  await server.stop();
  await backUpEmbeddedPostgres({ dataDir, folder: join(root, 'deep/copy'), settings: SETTINGS });
  await expect(stat(join(dataDir, 'postgres/postmaster.pid'))).rejects.toThrow('ENOENT');
  const restored = await start(join(root, 'deep/copy'));
  expect(await value(restored.url, 'select no from kept')).toBe(42);
});

it('is refused with a sentence where there is nothing, or something already', async () => {
  const missing = backUpEmbeddedPostgres({ dataDir: join(root, 'none'), folder: join(root, 'copy') });
  await expect(missing).rejects.toThrow(/There is no embedded database in .*none: set WILLCALL_DATA_DIR/);
  const server = await start(join(root, 'data'));
  expect(server.dataDir).toBe(join(root, 'data/postgres'));
  const onto = backUpEmbeddedPostgres({ dataDir: join(root, 'data'), folder: root });
  await expect(onto).rejects.toThrow(/exists already/);
});

it('leaves nothing behind when it fails', async () => {
  const server = await start(join(root, 'data'));
  await writeFile(join(root, 'in-the-way'), '');
  const failing = backUpEmbeddedPostgres({ dataDir: join(root, 'data'), folder: join(root, 'in-the-way/copy') });
  await expect(failing).rejects.toThrow(/The backup to .* failed: .*Nothing of it was kept/s);
  expect((await readdir(root)).sort()).toEqual(['data', 'in-the-way']);
  expect(await value(server.url, `select count(*)::int from pg_replication_slots`)).toBe(0);
});
