// Secrets of a whole service as an operator starts it, with a PostgreSQL of its own: where each of
// them lies, who may read it, and that no process, no log and no answer shows one to anybody else.
// Text of clients in the log stays text.

import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { chmod, lstat, mkdtemp, readdir, readFile, realpath, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Client, createClient } from '../support/client.ts';

const main = join(import.meta.dirname, '../../src/main.ts');
/** What a client would write to make lines of its own in a log, or to colour a terminal. */
const FORGED = 'zq7mark\r\n{"level":50,"msg":"forged"}\n\u001b[31mred\u2028\u0000';

let dataDir: string;
let child: ChildProcess;
let client: Client;
let adminKey: string;
let stdout = '';
let stderr = '';
const made: { id: string; key: string }[] = [];

beforeAll(async () => {
  dataDir = await mkdtemp(join(tmpdir(), 'willcall-secrets-'));
  // For the account that root hands the server to.
  await chmod(dataDir, 0o755);
  const env = {
    PATH: process.env.PATH ?? '',
    WILLCALL_PORT: '0',
    WILLCALL_DATA_DIR: dataDir,
    WILLCALL_LOG_LEVEL: 'debug',
  };
  child = spawn(process.execPath, [main], { env, stdio: ['ignore', 'pipe', 'pipe'] });
  child.stderr?.setEncoding('utf8').on('data', (chunk: string) => {
    stderr += chunk;
  });
  const lines = createInterface({ input: child.stdout as NodeJS.ReadableStream });
  for await (const line of lines) {
    stdout += `${line}\n`;
    if (line.startsWith('willcall listening on ')) break;
  }
  adminKey = (await readFile(join(dataDir, 'admin-key'), 'utf8')).trim();
  client = createClient(stdout.trim().split(' ').at(-1) ?? '', adminKey);
  await useIt();
});
afterAll(async () => {
  client?.close();
  if (child?.exitCode === null) {
    child.kill('SIGTERM');
    await once(child, 'exit');
  }
  await rm(dataDir, { recursive: true, force: true, maxRetries: 10 });
});

/** Keys in every state, and text that would rather be a line of the log. */
async function useIt(): Promise<void> {
  const roles = [{ role: 'admin', topics: ['*'], subscriptions: ['*'] }];
  for (let each = 0; each < 2; each += 1) {
    made.push((await client.post<{ id: string; key: string }>('/v1/keys', { client: 'acme', roles })).json);
  }
  const [kept, revoked] = made;
  const name = await client.freshSubscription();
  await client.call('GET', '/v1/topics', { key: kept?.key ?? null });
  await client.call('GET', '/v1/topics', { key: `${kept?.key}x` });
  await client.call('DELETE', `/v1/keys/${revoked?.id}`);
  await client.call('GET', '/v1/topics', { key: revoked?.key ?? null });
  await client.publish(name, 'x');
  const [message] = await client.receive(name);
  const text = FORGED.replaceAll('\0', '');
  const error = { code: text.slice(0, 60), message: text };
  await client.post(`/v1/subscriptions/${name}/release`, { receipts: [{ receipt: message?.receipt, error }] });
  await client.post(`/v1/topics/${name}/messages`, {
    messages: [{ body: FORGED, ordering_key: text, [FORGED]: FORGED }],
  });
  await client.post(`/v1/topics/${name}/messages`, {
    messages: [{ body: FORGED, ordering_key: text, dedupe_key: text }],
  });
  await client.post('/v1/keys', { client: FORGED, roles: [{ role: FORGED }] });
  await client.call('GET', `/v1/topics/${encodeURIComponent(FORGED)}?${encodeURIComponent(FORGED)}`);
  await client.call('PUT', `/v1/topics/${encodeURIComponent(FORGED)}`, { headers: { 'idempotency-key': 'zq7mark' } });
  await client.call('GET', '/v1/topics', {
    key: null,
    headers: { authorization: 'Basic enE3bWFyazp6cTdtYXJr', 'user-agent': 'zq7mark' },
  });
}

/** Every file and directory of the service, where it really is. */
async function* walk(directory: string): AsyncGenerator<string> {
  for (const name of await readdir(directory)) {
    const path = join(directory, name);
    yield path;
    const found = await lstat(path).catch(() => undefined);
    if (found?.isDirectory()) yield* walk(path);
    if (found?.isSymbolicLink()) yield* walk(await realpath(path));
  }
}

describe('what lies on the disk', () => {
  it('is for the eyes of its account alone', async () => {
    const open: string[] = [];
    let seen = 0;
    for await (const path of walk(dataDir)) {
      const found = await lstat(path).catch(() => undefined);
      if (found === undefined || found.isSymbolicLink()) continue;
      seen += 1;
      if ((found.mode & 0o077) !== 0) open.push(path);
    }
    expect(seen).toBeGreaterThan(100);
    expect(open).toEqual([]);
  });

  it('holds the admin key, the secret key and the password of the database in a file each, and no other secret', async () => {
    const password = (await readFile(join(dataDir, 'postgres-password'), 'utf8')).trim();
    const secrets = new Map([
      ['admin key', adminKey],
      ['secret key', (await readFile(join(dataDir, 'secret-key'), 'utf8')).trim()],
      ['password', password],
      ...made.map(({ id, key }): [string, string] => [id, key.slice(id.length + 1)]),
    ]);
    expect(secrets.size).toBe(5);
    const holding: string[] = [];
    for await (const path of walk(dataDir)) {
      const found = await lstat(path).catch(() => undefined);
      if (!found?.isFile()) continue;
      const bytes = await readFile(path);
      for (const [name, secret] of secrets) if (bytes.includes(secret)) holding.push(`${name} in ${path}`);
    }
    expect(holding.sort()).toEqual([
      `admin key in ${join(dataDir, 'admin-key')}`,
      `password in ${join(dataDir, 'postgres-password')}`,
      `secret key in ${join(dataDir, 'secret-key')}`,
    ]);
  });
});

describe.runIf(existsSync('/proc/self/cmdline'))('the processes of the service', () => {
  it('have no secret among their arguments, nor hand one down in their environment', async () => {
    const password = (await readFile(join(dataDir, 'postgres-password'), 'utf8')).trim();
    const secrets = [adminKey, password, ...made.map(({ key }) => key)];
    const cluster = await realpath(join(dataDir, 'postgres'));
    const postmaster = (await readFile(join(cluster, 'postmaster.pid'), 'utf8')).split('\n')[0] ?? '';
    for (const pid of [String(child.pid), postmaster]) {
      const shown = await readFile(`/proc/${pid}/cmdline`, 'utf8');
      const environment = await readFile(`/proc/${pid}/environ`, 'utf8');
      expect(shown).not.toBe('');
      for (const secret of secrets) expect(shown + environment).not.toContain(secret);
    }
    expect(await readFile(`/proc/${postmaster}/environ`, 'utf8')).not.toContain('WILLCALL');
  });
});

describe('the log', () => {
  it('has no secret in it; the admin key stands once on standard output, where it was made', () => {
    for (const { id, key } of made) {
      expect(stderr).toContain(id);
      expect(stderr + stdout).not.toContain(key.slice(id.length + 1));
    }
    expect(stderr).not.toContain(adminKey);
    expect(stdout.split(adminKey)).toHaveLength(2);
  });

  it('is one object a line, and says nothing that a client has sent but names', () => {
    const lines = stderr.trimEnd().split('\n');
    expect(lines.length).toBeGreaterThan(10);
    for (const line of lines) {
      expect(JSON.parse(line)).toMatchObject({
        level: expect.stringMatching(/^(debug|info|warn|error)$/),
        pid: expect.any(Number),
        msg: expect.any(String),
      });
      // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what must not be there.
      expect(line).not.toMatch(/[\u0000-\u001f\u007f\u2028\u2029]/);
    }
    expect(stderr).not.toMatch(/zq7mark|forged|enE3bWFyazp6cTdtYXJr/);
  });
});
