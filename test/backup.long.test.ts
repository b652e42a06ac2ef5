// `npm run backup` beside a running service, the loss of everything, and a service that is started
// on the copy as docs/operations.md says.

import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmod, mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { type Client, createClient } from './support/client.ts';

const REPOSITORY = join(import.meta.dirname, '..');

let root: string;
const children: ChildProcess[] = [];
const clients: Client[] = [];

beforeAll(async () => {
  root = await mkdtemp(join(tmpdir(), 'willcall-npm-backup-'));
  await chmod(root, 0o755);
});
afterAll(async () => {
  for (const client of clients) client.close();
  for (const child of children) {
    if (child.exitCode !== null || child.signalCode !== null) continue;
    child.kill('SIGTERM');
    await once(child, 'exit');
  }
  await rm(root, { recursive: true, force: true });
});

function spawnNpm(args: string[], dataDir: string): ChildProcess {
  return spawn('npm', args, {
    cwd: REPOSITORY,
    env: { PATH: process.env.PATH, HOME: root, WILLCALL_DATA_DIR: dataDir, WILLCALL_PORT: '0' },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
}

async function start(dataDir: string): Promise<{ child: ChildProcess; client: Client }> {
  const child = spawnNpm(['start'], dataDir);
  children.push(child);
  child.stderr?.resume();
  const { promise, resolve, reject } = Promise.withResolvers<string>();
  child.once('exit', () => reject(new Error('the service ended at its start')));
  createInterface({ input: child.stdout as NonNullable<ChildProcess['stdout']> }).on('line', (line) => {
    const url = /^willcall listening on (\S+)$/.exec(line)?.[1];
    if (url !== undefined) resolve(url);
  });
  const client = createClient(await promise, (await readFile(join(dataDir, 'admin-key'), 'utf8')).trim());
  clients.push(client);
  return { child, client };
}

async function backUp(dataDir: string, ...args: string[]): Promise<{ code: number | null; output: string }> {
  const child = spawnNpm(['run', '--silent', 'backup', '--', ...args], dataDir);
  let output = '';
  for (const stream of [child.stdout, child.stderr]) stream?.on('data', (chunk: Buffer) => (output += chunk));
  const [code] = await once(child, 'close');
  return { code, output };
}

it('restores what was published and acknowledged, the keys too', async () => {
  const dataDir = join(root, 'data');
  const copy = join(root, 'copy');
  const { child, client } = await start(dataDir);
  expect((await client.call('PUT', '/v1/subscriptions/s')).status).toBe(201);
  await client.publish('s', 'signed');
  const [signed] = await client.receive('s');
  const receipts = [{ receipt: signed?.receipt, reference: 'order 7' }];
  expect((await client.post('/v1/subscriptions/s/acknowledge', { receipts })).status).toBe(200);
  await client.publish('s', 'waiting');

  expect(await backUp(dataDir, copy)).toEqual({
    code: 0,
    output: expect.stringMatching(/^willcall backed up to \S+: /),
  });
  await client.publish('s', 'too late');
  expect(await backUp(dataDir, copy)).toMatchObject({ code: 1, output: expect.stringMatching(/exists already/) });
  expect(await backUp(dataDir)).toMatchObject({ code: 1, output: expect.stringMatching(/npm run backup -- <folder>/) });

  const postgres = Number.parseInt(await readFile(join(dataDir, 'postgres/postmaster.pid'), 'utf8'), 10);
  child.kill('SIGKILL');
  await once(child, 'exit');
  process.kill(postgres, 'SIGKILL');

  const restored = join(root, 'restored');
  // As documented; Node's own copy would not keep the owners.
  await once(spawn('cp', ['-a', copy, restored]), 'exit');
  const again = await start(restored);
  const ledger = await again.client.get<{ acknowledgments: object[] }>('/v1/subscriptions/s/acknowledgments');
  expect(ledger.json.acknowledgments).toMatchObject([{ reference: 'order 7', message_id: signed?.id }]);
  expect((await again.client.receive('s')).map(({ body }) => body)).toEqual(['waiting']);
});
