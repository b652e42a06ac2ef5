// One client that does everything at once that it should not, and another one that works beside it:
// the first is refused, the second notices nothing.

import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { fairUseDefaults } from '../../src/domain/fair-use.ts';
import type { Client, Received, SettleAnswer } from '../support/client.ts';
import { startTestService, type TestService } from '../support/service.ts';

const MIB = 1024 * 1024;
const BYTES = 16 * MIB;
const ROUNDS = 30;
const CALLERS = 20;

let service: TestService;
let client: Client;
const sockets: Socket[] = [];
beforeAll(async () => {
  const fairUse = { ...fairUseDefaults, keyRequestsPerSecond: 20, keyParkedReceives: 5, trafficBytes: BYTES };
  service = await startTestService({ fairUse });
  client = service.client;
});
afterAll(async () => {
  for (const socket of sockets) socket.destroy();
  await Promise.all(sockets.map((socket) => socket.closed || once(socket, 'close')));
  await service.stop();
});

const makeKey = async (name: string, fields: object = {}) => {
  const roles = [{ role: 'admin', topics: [`${name}-*`], subscriptions: [`${name}-*`] }];
  return (await client.post<{ key: string }>('/v1/keys', { client: name, roles, ...fields })).json.key;
};

/** Bodies that stall, as much as the share of the key. */
const stallBodies = (key: string) => {
  for (let i = 0; i < BYTES / 4 / MIB; i += 1) {
    const socket = connect(Number(new URL(service.url).port), '127.0.0.1');
    sockets.push(socket);
    socket.on('error', () => {}).resume();
    socket.write(
      `POST /v1/topics/noisy-a/messages/raw HTTP/1.1\r\nHost: t\r\nAuthorization: Bearer ${key}\r\n` +
        `Content-Length: ${10 * MIB}\r\n\r\n`,
    );
    socket.write(Buffer.alloc(MIB, 'x'));
  }
};

/** Calls without a pause, of every kind, until it is told to stop; counts what it was answered. */
const hammer = (key: string, stop: AbortSignal) => {
  const answers = new Map<string, number>();
  const call = async (n: number) => {
    const json = n % 2 === 0 ? { wait_seconds: 30 } : { messages: [{ body: 'x' }] };
    const path = n % 2 === 0 ? '/v1/subscriptions/noisy-a/receive' : '/v1/topics/noisy-a/messages';
    while (!stop.aborted) {
      const answer = await client.call('POST', path, { key, json, signal: stop }).catch(() => null);
      const code = answer === null ? 'none' : (answer.json?.code ?? String(answer.status));
      answers.set(code, (answers.get(code) ?? 0) + 1);
    }
  };
  const done = Promise.all(Array.from({ length: CALLERS }, (_, n) => call(n)));
  return { answers, done };
};

describe('a client that works beside one that does whatever it should not', () => {
  it('publishes, receives and acknowledges as if it were alone, while the other is refused', async () => {
    const [noisy, slow, quiet] = [
      await makeKey('noisy'),
      await makeKey('noisy', { requests_per_second: 1000 }),
      await makeKey('quiet', { requests_per_second: 1000 }),
    ];
    await client.call('PUT', '/v1/subscriptions/noisy-a');
    await client.call('PUT', '/v1/subscriptions/quiet-a');
    stallBodies(slow);
    const stop = new AbortController();
    const { answers, done } = hammer(noisy, stop.signal);
    await expect.poll(async () => (await client.call('GET', '/v1/topics', { key: slow })).status).toBe(429);
    await expect.poll(() => answers.get('rate_limited') ?? 0).toBeGreaterThan(CALLERS);

    const post = async <Body>(path: string, json: object) => {
      const answer = await client.call<Body>('POST', path, { key: quiet, json });
      expect([path, answer.status]).toEqual([path, path.includes('topics') ? 201 : 200]);
      return answer.json;
    };
    for (let round = 0; round < ROUNDS; round += 1) {
      await post('/v1/topics/quiet-a/messages', { messages: [{ body: String(round) }] });
      const { messages } = await post<Received>('/v1/subscriptions/quiet-a/receive', { wait_seconds: 30 });
      expect(messages.map(({ body }) => body)).toEqual([String(round)]);
      const receipts = messages.map(({ receipt }) => receipt);
      const settled = await post<SettleAnswer>('/v1/subscriptions/quiet-a/acknowledge', { receipts });
      expect(settled.failed).toBe(0);
    }
    expect((await client.call('GET', '/v1/topics', { key: slow })).json.code).toBe('too_much_traffic');
    stop.abort();
    await done;
  });
});
