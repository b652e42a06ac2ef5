// The service as an operator starts it: a process with an environment, lines on standard output,
// and signals.

import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { access, chmod, mkdtemp, readFile, rename, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { createClient } from './support/client.ts';
import { createTestDatabase, type TestDatabase } from './support/database.ts';
import { openOwner } from './support/lock.ts';

interface Process {
  /**
   * Standard output up to the line that says where it listens; rejects when the process ends
   * before.
   */
  lines: Promise<string[]>;
  url(): Promise<string>;
  /** The exit code and all of standard error. */
  ended: Promise<{ code: number | null; stderr: string }>;
  child: ChildProcess;
}

const main = join(import.meta.dirname, '../src/main.ts');
const running: ChildProcess[] = [];
let database: TestDatabase;
let dataDir: string;

beforeAll(async () => {
  database = await createTestDatabase();
  dataDir = await mkdtemp(join(tmpdir(), 'willcall-main-'));
});
afterEach(async () => {
  for (const child of running.splice(0)) {
    if (child.exitCode === null && child.signalCode === null) {
      child.kill('SIGKILL');
      await once(child, 'exit');
    }
  }
});
afterAll(async () => {
  await database.drop();
  await rm(dataDir, { recursive: true, force: true });
});

function start(env: Record<string, string>): Process {
  const child = spawn(process.execPath, [main], {
    env: { PATH: process.env.PATH ?? '', WILLCALL_PORT: '0', WILLCALL_DATA_DIR: dataDir, ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  running.push(child);
  const { promise: lines, resolve, reject } = Promise.withResolvers<string[]>();
  lines.catch(() => {});
  const seen: string[] = [];
  createInterface({ input: child.stdout }).on('line', (line) => {
    seen.push(line);
    if (line.startsWith('willcall listening on ')) resolve(seen);
  });
  let stderr = '';
  child.stderr.setEncoding('utf8').on('data', (chunk) => {
    stderr += chunk;
  });
  const ended = once(child, 'close').then(([code]) => {
    reject(new Error(`ended with ${code}: ${stderr}`));
    return { code: code as number | null, stderr };
  });
  const url = async () => (await lines).at(-1)?.replace('willcall listening on ', '') ?? '';
  return { lines, url, ended, child };
}

const keyOf = async (dir: string) => (await readFile(join(dir, 'admin-key'), 'utf8')).trim();
const given = () => ({ DATABASE_URL: database.url });

describe('the process', () => {
  it('prints its key on the first start alone, and where it listens last', async () => {
    const first = start(given());
    const lines = await first.lines;
    const key = await keyOf(dataDir);
    expect(lines.slice(0, 2)).toEqual([
      `data       PostgreSQL at ${new URL(database.url).host}/${database.name}, schema willcall`,
      `admin key  ${join(dataDir, 'admin-key')}`,
    ]);
    expect(lines[2]).toContain(key);
    expect(lines.at(-1)).toMatch(/^willcall listening on http:\/\/127\.0\.0\.1:\d+$/);
    first.child.kill('SIGTERM');
    expect((await first.ended).code).toBe(0);

    const second = await start(given()).lines;
    expect(second.join('\n')).not.toContain(key);
    expect(await keyOf(dataDir)).toBe(key);
  });

  it('prints a line to try that works when pasted', async () => {
    const { lines } = start(given());
    const line = (await lines).find((each) => each.startsWith('try '))?.replace(/^try +/, '') ?? '';
    const shell = spawn('sh', ['-c', `${line} -s -o /dev/null -w '%{http_code}'`]);
    const [status] = (await once(shell.stdout, 'data')) as [Buffer];
    expect(['200', '201']).toContain(status.toString());
  });

  it.each(['SIGTERM', 'SIGINT'] as const)('answers who waits and ends in order on %s', async (signal) => {
    const willcall = start(given());
    const client = createClient(await willcall.url(), await keyOf(dataDir));
    const name = `parked-${signal}`;
    expect((await client.call('PUT', `/v1/subscriptions/${name}`)).status).toBe(201);
    const parked = client.post<{ messages: object[] }>(`/v1/subscriptions/${name}/receive`, { wait_seconds: 30 });
    await client.receive(name);
    willcall.child.kill(signal);
    expect([200, 503]).toContain((await parked).status);
    const { code, stderr } = await willcall.ended;
    expect(code).toBe(0);
    expect(stderr).not.toMatch(/"level":[56]0/);
    client.close();
  });

  it('writes no key, no secret and no header of a request, whatever happens', async () => {
    const adminKey = 'a-key-of-the-environment-for-one-test';
    const willcall = start({ ...given(), WILLCALL_ADMIN_KEY: adminKey, WILLCALL_LOG_LEVEL: 'debug' });
    const client = createClient(await willcall.url(), adminKey);
    const made = await client.post<{ id: string; key: string }>('/v1/keys', {
      client: 'acme',
      roles: [{ role: 'consumer', subscriptions: ['*'] }],
    });
    const { id, key } = made.json;
    const secret = key.slice(id.length + 1);
    const basic = Buffer.from(`${id}:${secret}`).toString('base64');
    const answers = [
      await client.call('GET', '/v1/subscriptions', { key }),
      await client.call('GET', '/v1/topics', { key: null, headers: { authorization: `Basic ${basic}` } }),
      await client.call('GET', '/v1/topics', { key: `${key}x` }),
      await client.call('GET', '/v1/topics', {
        key: null,
        headers: { authorization: [`Bearer ${key}`, `Basic ${basic}`] },
      }),
      await client.call('DELETE', `/v1/keys/${key}`),
      await client.call('GET', `/v1/topics/${key}`),
      await client.call('GET', `/v1/keys?after=${key}`),
      await client.call('POST', '/v1/keys', {
        bytes: Buffer.from(key),
        headers: { 'content-type': 'application/json' },
      }),
      await client.get(`/v1/keys/${id}`),
      await client.get('/v1/keys'),
    ];
    expect(answers.map(({ status }) => status)).toEqual([200, 403, 401, 400, 404, 404, 200, 400, 200, 200]);
    const owner = await openOwner(database);
    await owner.rows('alter table willcall.subscription rename to hidden');
    const failed = await client.call('GET', '/v1/subscriptions/s', { key });
    await owner.rows('alter table willcall.hidden rename to subscription');
    await owner.end();
    expect(failed.status).toBe(500);
    expect((await client.call('DELETE', `/v1/keys/${id}`)).status).toBe(204);
    expect((await client.call('GET', '/v1/subscriptions', { key })).status).toBe(401);
    client.close();
    willcall.child.kill('SIGTERM');
    const { stderr } = await willcall.ended;
    const texts = [stderr, ...(await willcall.lines), ...[...answers, failed].map(({ bytes }) => bytes.toString())];
    // What is made of a name in the path, or of a sentence about it, is the caller's own.
    const said = texts.filter((text) => !text.includes('"code":"topic_not_found"')).join('\n');
    for (const hidden of [adminKey, secret, basic]) expect(said).not.toContain(hidden);
    expect(stderr).not.toMatch(/authorization|bearer|basic /i);
    expect(stderr).toContain('"act":"key.create"');
    expect(stderr).toContain('"act":"key.revoke"');
    expect(stderr.split('\n').find((line) => line.includes('a request failed'))).toContain(`"keyId":"${id}"`);
  });

  it.each<[string, Record<string, string>, RegExp]>([
    ['a wrong setting', { WILLCALL_PORT: 'http' }, /^willcall could not start: WILLCALL_PORT must be .*\.\n$/],
    ['an unknown setting', { WILLCALL_PROT: '1' }, /^willcall could not start: .*did you mean WILLCALL_PORT\?\n$/],
    [
      'a server that is not there',
      { DATABASE_URL: 'postgres://x:hidden@127.0.0.1:1/x' },
      /^willcall could not start: .+\n$/,
    ],
  ])('stops at %s with one sentence and no stack', async (_, env, sentence) => {
    const { code, stderr } = await start({ ...given(), ...env }).ended;
    expect(code).toBe(1);
    expect(stderr).toMatch(sentence);
    expect(stderr).not.toContain('hidden');
  });

  it('stops with a sentence when its port is taken', async () => {
    const first = start(given());
    const { port } = new URL(await first.url());
    const { code, stderr } = await start({ ...given(), WILLCALL_PORT: port, WILLCALL_LOG_LEVEL: 'silent' }).ended;
    expect(code).toBe(1);
    expect(stderr).toBe(
      'willcall could not start: The port is taken: set WILLCALL_PORT to a free one, or to 0 to have one picked.\n',
    );
  });
});

it('npm start is the service: a SIGTERM to it stops the service', async () => {
  const npm = spawn('npm', ['start'], {
    cwd: join(import.meta.dirname, '..'),
    env: { PATH: process.env.PATH, HOME: dataDir, WILLCALL_PORT: '0', WILLCALL_DATA_DIR: dataDir, ...given() },
    stdio: ['ignore', 'pipe', 'ignore'],
  });
  const { promise, resolve } = Promise.withResolvers<string>();
  createInterface({ input: npm.stdout }).on('line', (line) => {
    if (line.startsWith('willcall listening on ')) resolve(line.replace('willcall listening on ', ''));
  });
  const url = await promise;
  expect((await fetch(`${url}/healthz`)).status).toBe(200);
  npm.kill('SIGTERM');
  await expect.poll(() => fetch(`${url}/healthz`).catch(() => null)).toBeNull();
});

describe('the process with a PostgreSQL of its own', () => {
  it('makes nothing when its port is taken', async () => {
    const first = start(given());
    const { port } = new URL(await first.url());
    const own = join(dataDir, 'never-made');
    const { code, stderr } = await start({ WILLCALL_DATA_DIR: own, WILLCALL_PORT: port }).ended;
    expect([code, stderr]).toEqual([1, expect.stringMatching(/^willcall could not start: The port is taken: .+\n$/)]);
    await expect(access(own)).rejects.toThrow('ENOENT');
  });

  it('keeps what was published through a SIGKILL, and refuses a second one on its directory', async () => {
    const own = await makeOwnDirectory();
    const env = { WILLCALL_DATA_DIR: own };
    const killed = start(env);
    const client = createClient(await killed.url(), await keyOf(own));
    expect((await client.call('PUT', '/v1/subscriptions/s')).status).toBe(201);
    await client.publish('s', 'kept');
    client.close();

    const second = await start({ ...env, WILLCALL_LOG_LEVEL: 'silent' }).ended;
    expect(second.code).toBe(1);
    expect(second.stderr).toMatch(/^willcall could not start: .+\n$/);

    killed.child.kill('SIGKILL');
    await killed.ended;
    const again = start(env);
    const other = createClient(await again.url(), await keyOf(own));
    expect((await other.receive('s')).map(({ body }) => body)).toEqual(['kept']);
    other.close();
    again.child.kill('SIGTERM');
    expect((await again.ended).code).toBe(0);
    await rm(own, { recursive: true, force: true });
  });

  it('goes on when its PostgreSQL was killed: parked receives wait on, and leases stay', async () => {
    const own = await makeOwnDirectory();
    const willcall = start({ WILLCALL_DATA_DIR: own });
    const client = createClient(await willcall.url(), await keyOf(own));
    for (const name of ['leased', 'parked']) {
      expect((await client.call('PUT', `/v1/subscriptions/${name}`)).status).toBe(201);
    }
    await client.publish('leased', 'a');
    const [message] = await client.receive('leased');
    const parked = client.post<{ messages: { body: string }[] }>('/v1/subscriptions/parked/receive', {
      wait_seconds: 30,
    });
    // On other connections, which may be served first; not again and again.
    for (let asked = 0; asked < 5; asked += 1) await client.receive('parked');
    await killPostgres(own);
    const publish = () => client.post('/v1/topics/parked/messages', { messages: [{ body: 'after the kill' }] });
    await expect.poll(async () => (await publish()).status).toBe(201);
    const answer = await parked;
    expect(answer.json.messages[0]?.body).toBe('after the kill');
    const settled = await client.post<{ results: { outcome: string }[] }>('/v1/subscriptions/leased/acknowledge', {
      receipts: [message?.receipt],
    });
    expect(settled.json.results).toMatchObject([{ outcome: 'acknowledged' }]);
    client.close();
    willcall.child.kill('SIGTERM');
    const { code, stderr } = await willcall.ended;
    expect(code).toBe(0);
    expect(stderr).toContain('the embedded PostgreSQL has ended: it is started again');
    await rm(own, { recursive: true, force: true });
  });

  it('ends with 1 and a sentence when its PostgreSQL cannot be started again', async () => {
    const own = await makeOwnDirectory();
    const willcall = start({ WILLCALL_DATA_DIR: own, WILLCALL_LOG_LEVEL: 'silent' });
    await willcall.url();
    const control = join(own, 'postgres/global/pg_control');
    await rename(control, `${control}.away`);
    await killPostgres(own);
    const { code, stderr } = await willcall.ended;
    expect([code, stderr]).toEqual([1, expect.stringMatching(/^willcall ended: The database in .* has ended and /)]);
    await rm(own, { recursive: true, force: true });
  });
});

/** Root's temporary directories are closed to the account that runs PostgreSQL. */
async function makeOwnDirectory(): Promise<string> {
  const own = await mkdtemp(join(tmpdir(), 'willcall-main-own-'));
  await chmod(own, 0o755);
  return own;
}

async function killPostgres(own: string): Promise<void> {
  const text = await readFile(join(own, 'postgres/postmaster.pid'), 'utf8');
  process.kill(Number.parseInt(text, 10), 'SIGKILL');
}
