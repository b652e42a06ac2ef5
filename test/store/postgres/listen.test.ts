// The listening connection: hears its own schema's channel, comes back by itself when it is lost,
// and ends when told.

import { setTimeout } from 'node:timers/promises';
import { afterAll, afterEach, beforeAll, beforeEach, expect, it, vi } from 'vitest';
import { createWakeupListener, type WakeupListener, wakeupChannel } from '../../../src/store/postgres/listen.ts';
import { startTcpProxy } from '../../faults/tcp-proxy.ts';
import { openStoreBench, type StoreBench } from '../../support/store.ts';

let bench: StoreBench;
let listener: WakeupListener;
let heard: string[];
let warnings: string[];
let connections: number;

beforeAll(async () => {
  bench = await openStoreBench();
});
afterAll(() => bench.stop());
beforeEach(() => {
  heard = [];
  warnings = [];
  connections = 0;
  listener = createListener('willcall');
});
afterEach(() => listener.stop());

function createListener(schema: string, url = bench.database.url): WakeupListener {
  const ignore = () => {};
  const logger = {
    debug: ignore,
    info: ignore,
    error: ignore,
    warn: (_: object, message: string) => warnings.push(message),
  };
  return createWakeupListener({ url, schema, runtimeRole: 'willcall_runtime', logger });
}

const handlers = {
  onWakeup: (payload: string) => heard.push(payload),
  onConnect: () => {
    connections += 1;
  },
};

const send = (schema: string, payload: string) =>
  bench.rows('select pg_notify($1, $2)', [wakeupChannel(schema), payload]);

const LISTENING = `datname = current_database() and application_name = 'willcall wakeup'`;
const endConnections = () => bench.rows(`select pg_terminate_backend(pid) from pg_stat_activity where ${LISTENING}`);

it('hears what is sent on the channel of its schema, and nothing else', async () => {
  listener.start(handlers);
  await expect.poll(() => connections).toBe(1);
  await send('willcall_other', 'not ours');
  await send('willcall', 'a');
  await send('willcall', 'b');
  await expect.poll(() => heard).toEqual(['a', 'b']);
});

it('comes back whenever it is lost, says so each time, and hears again', async () => {
  listener.start(handlers);
  for (let time = 1; time <= 3; time += 1) {
    await expect.poll(() => connections).toBe(time);
    await endConnections();
  }
  await expect.poll(() => connections).toBe(4);
  await send('willcall', 'a');
  await expect.poll(() => heard).toEqual(['a']);
  expect(warnings).toHaveLength(3);
});

it('knows whether it hears', async () => {
  expect(listener.isListening()).toBe(false);
  listener.start(handlers);
  await expect.poll(() => listener.isListening()).toBe(true);
  await endConnections();
  await expect.poll(() => listener.isListening()).toBe(false);
  await expect.poll(() => listener.isListening()).toBe(true);
  await listener.stop();
  expect(listener.isListening()).toBe(false);
});

it('tries on while there is no server to connect to, and says so once', async () => {
  const { hostname, port } = new URL(bench.database.url);
  const proxy = await startTcpProxy({ host: '127.0.0.1', port: 1 });
  const url = new URL(bench.database.url);
  url.host = `127.0.0.1:${proxy.port}`;
  const through = createListener('willcall', url.href);
  try {
    through.start(handlers);
    await expect.poll(() => warnings.length).toBe(1);
    await setTimeout(1_000);
    proxy.target = { host: hostname, port: Number(port) };
    await expect.poll(() => connections, { timeout: 10_000 }).toBe(1);
    expect(warnings).toHaveLength(1);
  } finally {
    await through.stop();
    await proxy.close();
  }
});

it('notices within 45 seconds that its connection is dead although nobody said so', async () => {
  const { hostname, port } = new URL(bench.database.url);
  const proxy = await startTcpProxy({ host: hostname, port: Number(port) });
  const url = new URL(bench.database.url);
  url.host = `127.0.0.1:${proxy.port}`;
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
  const through = createListener('willcall', url.href);
  try {
    through.start(handlers);
    await expect.poll(() => connections).toBe(1);
    // A beat that is answered changes nothing.
    await vi.advanceTimersByTimeAsync(30_000);
    await expect.poll(() => bench.value(`select query from pg_stat_activity where ${LISTENING}`)).toBe('select 1');
    await send('willcall', 'before');
    await expect.poll(() => heard).toEqual(['before']);
    expect([connections, warnings]).toEqual([1, []]);
    proxy.behave({ how: 'swallow' });
    await vi.advanceTimersByTimeAsync(45_000);
    await expect.poll(() => warnings.length).toBeGreaterThan(0);
    proxy.behave({ how: 'pass' });
    const passUntilConnected = async () => {
      await vi.advanceTimersByTimeAsync(50);
      return connections;
    };
    await expect.poll(passUntilConnected).toBe(2);
    await send('willcall', 'after');
    await expect.poll(() => heard).toEqual(['before', 'after']);
  } finally {
    vi.useRealTimers();
    await through.stop();
    await proxy.close();
  }
});

it('connects anew at a word, however its connection looks, and has but one', async () => {
  listener.renew();
  listener.start(handlers);
  await expect.poll(() => connections).toBe(1);
  listener.renew();
  await expect.poll(() => connections).toBe(2);
  await expect.poll(() => bench.value(`select count(*) from pg_stat_activity where ${LISTENING}`)).toBe(1);
  expect(warnings).toEqual([]);
});

it('does not come back after a stop, and leaves no connection', async () => {
  listener.start(handlers);
  await expect.poll(() => connections).toBe(1);
  await listener.stop();
  await expect.poll(() => bench.value(`select count(*) from pg_stat_activity where ${LISTENING}`)).toBe(0);
  await send('willcall', 'a');
  expect([connections, heard, warnings]).toEqual([1, [], []]);
});

it('may be stopped before it has connected, or was started', async () => {
  await createListener('willcall').stop();
  listener.start(handlers);
  await listener.stop();
  await expect.poll(() => bench.value(`select count(*) from pg_stat_activity where ${LISTENING}`)).toBe(0);
});
