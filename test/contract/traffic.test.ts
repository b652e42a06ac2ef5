// What may be on its way through an instance at once, seen from outside: senders that stall,
// readers that do not read, and the calls of others meanwhile.

import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { fairUseDefaults } from '../../src/domain/fair-use.ts';
import type { Client, SettleAnswer } from '../support/client.ts';
import { startTestService, type TestService } from '../support/service.ts';

const MIB = 1024 * 1024;
const BYTES = 8 * MIB;
const SHARE = BYTES / 4;

let service: TestService;
let client: Client;
const sockets: Socket[] = [];
beforeAll(async () => {
  service = await startTestService({ fairUse: { ...fairUseDefaults, trafficBytes: BYTES } });
  client = service.client;
});
afterEach(async () => {
  for (const socket of sockets) socket.destroy();
  await Promise.all(sockets.splice(0).map((socket) => socket.closed || once(socket, 'close')));
  // What they held is free again.
  await expect.poll(async () => (await client.get('/v1/topics')).status).toBe(200);
});
afterAll(() => service.stop());

const makeKey = async () => {
  const roles = [{ role: 'admin', topics: ['*'], subscriptions: ['*'] }];
  return (await client.post<{ key: string }>('/v1/keys', { client: 'acme', roles })).json.key;
};
/** Sends the beginning of a raw publish, and no more. */
const stall = (key: string, bytes: number, path = '/v1/topics/t/messages/raw') => {
  const socket = connect(Number(new URL(service.url).port), '127.0.0.1');
  sockets.push(socket);
  let answer = '';
  socket.setEncoding('utf8').on('data', (chunk: string) => {
    answer += chunk;
  });
  socket.on('error', () => {});
  socket.write(
    `POST ${path} HTTP/1.1\r\nHost: t\r\nAuthorization: Bearer ${key}\r\nContent-Length: ${10 * MIB}\r\n\r\n`,
  );
  socket.write(Buffer.alloc(bytes, 0x20));
  return { socket, answer: () => answer };
};
const statusOf = async (key: string) => (await client.call('GET', '/v1/topics', { key })).status;

describe('bodies that have arrived', () => {
  it('are bounded by key: beyond a quarter its calls are refused, and nobody else notices', async () => {
    const [key, other] = [await makeKey(), await makeKey()];
    stall(key, SHARE / 2);
    stall(key, SHARE / 2);
    await expect.poll(() => statusOf(key)).toBe(429);
    const refused = await client.call('GET', '/v1/topics', { key });
    expect([refused.json.code, refused.headers['retry-after']]).toEqual(['too_much_traffic', '1']);
    expect(await statusOf(other)).toBe(200);
  });

  it('are refused in the middle when they are too much', async () => {
    const { answer } = stall(await makeKey(), SHARE + MIB);
    await expect.poll(answer).toContain('"too_much_traffic"');
    expect(answer()).toMatch(/^HTTP\/1\.1 429 .*connection: close/s);
  });

  it('are bounded together: beyond the budget everybody is refused but those who make room', async () => {
    const name = await client.freshSubscription();
    await client.publish(name, 'a');
    const [message] = await client.receive(name);
    for (let i = 0; i < 4; i += 1) stall(await makeKey(), SHARE);
    await expect.poll(async () => (await client.get('/v1/topics')).status).toBe(503);
    const refused = await client.get('/v1/topics');
    expect([refused.json.code, refused.headers['retry-after']]).toEqual(['overloaded', '1']);
    const settled = await client.post<SettleAnswer>(`/v1/subscriptions/${name}/acknowledge`, {
      receipts: [message?.receipt],
    });
    expect([settled.status, settled.json.results[0]?.outcome]).toEqual([200, 'acknowledged']);
    expect((await client.get('/healthz')).status).toBe(200);
    expect((await client.get('/readyz')).status).toBe(200);
  });

  it('are not those that were merely announced', async () => {
    const key = await makeKey();
    const stalled = Array.from({ length: 50 }, () => stall(key, 0));
    await Promise.all(stalled.map(({ socket }) => once(socket, 'connect')));
    expect(await statusOf(key)).toBe(200);
    expect(stalled.map(({ answer }) => answer())).toEqual(stalled.map(() => ''));
  });
});

describe('answers that are not read', () => {
  /** Receives in a row on one connection that does not read: more than its buffers hold. */
  const receiveUnread = async (key: string, name: string) => {
    await client.call('PUT', `/v1/topics/${name}`, { json: { max_message_bytes: MIB } });
    await client.call('PUT', `/v1/subscriptions/${name}`, { json: { topic: name, visibility_timeout_seconds: 600 } });
    const bytes = Buffer.alloc(MIB, 'x');
    for (let i = 0; i < 40; i += 1) {
      const path = `/v1/topics/${name}/messages/raw`;
      expect((await client.call('POST', path, { bytes, headers: { 'content-type': 'text/plain' } })).status).toBe(201);
    }
    const body = '{"wait_seconds":30,"max_messages":1}';
    const socket = connect(Number(new URL(service.url).port), '127.0.0.1');
    sockets.push(socket);
    socket.on('error', () => {});
    socket.pause();
    const request =
      `POST /v1/subscriptions/${name}/receive HTTP/1.1\r\nHost: t\r\nAuthorization: Bearer ${key}\r\n` +
      `Content-Type: application/json\r\nContent-Length: ${body.length}\r\n\r\n${body}`;
    socket.write(request.repeat(40));
  };

  it('are bounded by key, and no more messages are leased for it, while others receive', async () => {
    const key = await makeKey();
    const name = client.freshName('unread');
    await receiveUnread(key, name);
    await expect.poll(() => statusOf(key)).toBe(429);
    const other = await client.freshSubscription();
    await client.publish(other, 'a');
    expect(await client.receive(other)).toHaveLength(1);
    const { json } = await client.get<{ stats: { backlog: number } }>(`/v1/subscriptions/${name}`);
    expect(json.stats.backlog).toBeGreaterThan(0);
  });

  it('are let go when their connection ends', async () => {
    const key = await makeKey();
    const name = client.freshName('unread');
    await receiveUnread(key, name);
    await expect.poll(() => statusOf(key)).toBe(429);
    for (const socket of sockets) socket.destroy();
    await expect.poll(() => statusOf(key)).toBe(200);
  });
});
