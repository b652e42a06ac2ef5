// The consumers of docs/clients, each as a process before a live service: killed in the middle of
// its work, troubled by refusals and lost answers, and stopped in order. A missing toolchain is a
// failure; only the one in C#, which Debian cannot build, is left out.

import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { access, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { createInterface } from 'node:readline';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Message } from '../support/client.ts';
import { startTestService, type TestService } from '../support/service.ts';
import { readDocument } from './pasting.ts';
import { type Command, type Consumer, checkToolchain, inRepository, listConsumers } from './toolchains.ts';
import { openTroubleProxy } from './trouble-proxy.ts';

/** Those that Debian has a toolchain for: on other machines, too, a missing one is a failure. */
const tested = listConsumers().filter(({ debian }) => debian !== null);
const MESSAGES = 6;
/** Each consumer extends at a third of it; on a busy machine all of them start at once. */
const VISIBILITY_SECONDS = 12;
const RETRY_AFTER_SECONDS = 1;
/** Ends what would never end. */
const PATIENCE = { timeout: 600_000, interval: 20 };

let service: TestService;
/** Opens what a consumer needs, and no more. */
let key: string;
const running: ChildProcess[] = [];
const folders: string[] = [];
beforeAll(async () => {
  service = await startTestService();
  const wanted = { client: 'vendor', roles: [{ role: 'consumer', subscriptions: ['*'] }] };
  key = (await service.client.post<{ key: string }>('/v1/keys', wanted)).json.key;
});
afterAll(async () => {
  for (const child of running) child.kill('SIGKILL');
  await service.stop();
  for (const folder of folders) await rm(folder, { recursive: true, force: true, maxRetries: 3 });
});

interface Run {
  /** Standard output, line by line. */
  readonly lines: string[];
  /** Everything that was written, for a failing test. */
  readonly words: string[];
  /** The exit code, or the signal that ended it. */
  readonly ended: Promise<number | string>;
  send(signal: 'SIGTERM' | 'SIGKILL'): Promise<number | string>;
}

async function prepare(consumer: Consumer): Promise<Command> {
  checkToolchain(consumer);
  const folder = await mkdtemp(path.join(tmpdir(), 'willcall-consumer-'));
  folders.push(folder);
  return consumer.prepare(inRepository(consumer.source), folder);
}

function run([program, ...args]: Command, url: string, subscription: string, settings: object): Run {
  const kept = Object.entries(process.env).filter(([name]) => !/^(WILLCALL|DATABASE)_/.test(name));
  const child = spawn(program, args, {
    env: {
      ...Object.fromEntries(kept),
      ...{ WILLCALL_URL: url, WILLCALL_KEY: key, SUBSCRIPTION: subscription, WAIT_SECONDS: '2' },
      ...settings,
    },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  running.push(child);
  const lines: string[] = [];
  const words: string[] = [];
  createInterface({ input: child.stdout }).on('line', (line) => lines.push(line));
  for (const stream of [child.stdout, child.stderr])
    createInterface({ input: stream }).on('line', (w) => words.push(w));
  const ended = once(child, 'exit').then(([code, signal]) => (code ?? signal) as number | string);
  const send = (signal: 'SIGTERM' | 'SIGKILL') => {
    child.kill(signal);
    return ended;
  };
  return { lines, words, ended, send };
}

const idsOf = (run: Run, verb: string) =>
  run.lines.filter((line) => line.startsWith(`${verb} `)).map((line) => line.split(' ')[1] ?? '');

interface Ledger {
  acknowledgments: { message_id: string; attempt: number; late: boolean }[];
}
const readLedger = async (name: string) =>
  (await service.client.get<Ledger>(`/v1/subscriptions/${name}/acknowledgments`)).json.acknowledgments;

/** A subscription whose messages come back as soon as their lease is over. */
const openQueue = () => service.client.freshSubscription({ retry: { min_backoff_seconds: 0, max_backoff_seconds: 0 } });

describe.concurrent.each(tested)('the consumer in $language', (consumer) => {
  let command: Command;
  beforeAll(async () => {
    command = await prepare(consumer);
  });

  it('loses nothing when it is killed, and signs once through trouble of every kind', async ({ expect }) => {
    const name = await openQueue();
    const published = await service.client.publish(
      name,
      ...Array.from({ length: MESSAGES }, (_, i) => `<No>${i}</No>`),
    );
    const settings = { VISIBILITY_SECONDS: String(VISIBILITY_SECONDS) };
    const proxy = await openTroubleProxy(service.url);

    const killed = run(command, proxy.url, name, { ...settings, WORK_SECONDS: '60' });
    await expect
      .poll(() => idsOf(killed, 'received').length, { ...PATIENCE, message: killed.words.join('\n') })
      .toBeGreaterThan(0);
    const held = idsOf(killed, 'received');
    // Beyond the first visibility timeout: what is in its hands is extended.
    const begun = performance.now();
    await expect.poll(() => performance.now() - begun, PATIENCE).toBeGreaterThan(VISIBILITY_SECONDS * 1000 + 500);
    const extensions = () => proxy.passages.filter(({ verb }) => verb === 'extend').length;
    await expect.poll(extensions, PATIENCE).toBeGreaterThanOrEqual(2);
    const others = await service.client.receive(name, { max_messages: 1000, visibility_timeout_seconds: 1 });
    expect(others.map(({ id }) => id)).not.toContain(held[0]);
    await killed.send('SIGKILL');
    expect(await readLedger(name)).toEqual([]);

    const refusal = { status: 503, retryAfter: RETRY_AFTER_SECONDS };
    proxy.plan('receive', refusal, 'hang up', { status: 502 }, 'lose');
    proxy.plan('acknowledge', 'lose', { status: 429 });
    const second = run(command, proxy.url, name, settings);
    await expect.poll(async () => (await readLedger(name)).length, PATIENCE).toBe(MESSAGES);
    const words = second.words.join('\n');
    expect(await second.send('SIGTERM'), words).toBe(0);
    await proxy.close();

    const ledger = await readLedger(name);
    expect(ledger.map(({ message_id: id }) => id).sort()).toEqual(published.map(({ id }) => id).sort());
    const again = ledger.filter(({ message_id: id }) => held.includes(id));
    expect(again.map(({ attempt }) => attempt)).toEqual(held.map(() => 2));
    expect(new Set(idsOf(second, 'received'))).toEqual(new Set(published.map(({ id }) => id)));

    const receives = proxy.passages.filter(({ verb }) => verb === 'receive');
    const refused = receives.findIndex(({ trouble }) => trouble === refusal);
    const pauseMs = (receives[refused + 1]?.at ?? 0) - (receives[refused]?.at ?? 0);
    expect(pauseMs).toBeGreaterThanOrEqual(RETRY_AFTER_SECONDS * 1000 - 5);
  });

  it('gives back what it holds when it is told to stop', async ({ expect }) => {
    const name = await openQueue();
    const [message] = await service.client.publish(name, 'unfinished');
    const stopped = run(command, service.url, name, { VISIBILITY_SECONDS: '600', WORK_SECONDS: '60' });
    await expect.poll(() => idsOf(stopped, 'received'), PATIENCE).toEqual([message?.id]);
    expect(await stopped.send('SIGTERM'), stopped.words.join('\n')).toBe(0);
    const [again] = (await service.client.receive(name)) as Message[];
    expect(again).toMatchObject({ id: message?.id, attempt: 2 });
  });

  it('ends when trying again cannot help', async ({ expect }) => {
    const refused = run(command, service.url, 'nobody', {});
    expect(await refused.ended, refused.words.join('\n')).toBe(1);
    expect(refused.words.join('\n')).toContain('subscription_not_found');
  });
});

describe('the consumers of the documentation', () => {
  it('are all named in docs/clients.md', async () => {
    const guide = await readDocument('docs/clients.md');
    for (const consumer of listConsumers()) {
      await access(inRepository(consumer.source));
      expect(guide).toContain(`(${consumer.source.replace('docs/', '')})`);
    }
  });

  it('are all run but the one in C#, which Debian has no toolchain for', () => {
    const untested = listConsumers().filter((consumer) => !tested.includes(consumer));
    expect(untested.map(({ language }) => language)).toEqual(['C#']);
  });
});
