// A process under thirty times the load that its budget allows: senders that stall and readers that
// do not read would hold two gigabytes between them, and the process refuses instead of growing.
// Memory is read from /proc, so this runs on Linux alone.

import { once } from 'node:events';
import { readFile } from 'node:fs/promises';
import { connect, type Socket } from 'node:net';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Client, createClient } from '../support/client.ts';
import { type ServiceProcess, startServiceProcess } from '../support/service-process.ts';

const MIB = 1024 * 1024;
/** The least that may be set. */
const BUDGET_MIB = 64;
/**
 * The budget counts bodies as they travel; each is copied, packed and written out some times on its
 * way.
 */
const GROWTH_MIB_MAX = 8 * BUDGET_MIB;
const CLIENTS = 16;
const BODY_BYTES = 4 * MIB;
const RECEIVES = 16;

let service: ServiceProcess;
let client: Client;
const sockets: Socket[] = [];
beforeAll(async () => {
  service = await startServiceProcess({ WILLCALL_TRAFFIC_MIB: String(BUDGET_MIB) });
  client = createClient(service.url, service.adminKey);
});
afterAll(async () => {
  for (const socket of sockets) socket.destroy();
  await Promise.all(sockets.map((socket) => socket.closed || once(socket, 'close')));
  client.close();
  await service.stop();
});

/** The most that the process has had in memory so far, in MiB. */
const peakMib = async () => {
  const status = await readFile(`/proc/${service.pid}/status`, 'utf8');
  return Number(/^VmHWM:\s+(\d+) kB$/m.exec(status)?.[1]) / 1024;
};
const open = () => {
  const socket = connect(Number(new URL(service.url).port), '127.0.0.1');
  sockets.push(socket);
  socket.on('error', () => {});
  return socket;
};
const makeKey = async () => {
  const roles = [{ role: 'admin', topics: ['*'], subscriptions: ['*'] }];
  return (await client.post<{ key: string }>('/v1/keys', { client: 'acme', roles })).json.key;
};
const head = (path: string, key: string, length: number) =>
  `POST ${path} HTTP/1.1\r\nHost: t\r\nAuthorization: Bearer ${key}\r\nContent-Type: application/json\r\n` +
  `Content-Length: ${length}\r\n\r\n`;

describe('the memory of a process', () => {
  it('stays within bounds under many slow readers and stalled senders, and the service is well afterwards', async () => {
    const name = 'large';
    await client.call('PUT', `/v1/topics/${name}`, { json: { max_message_bytes: BODY_BYTES } });
    for (let i = 0; i < CLIENTS; i += 1) {
      await client.call('PUT', `/v1/subscriptions/${name}-${i}`, { json: { topic: name } });
    }
    const bytes = Buffer.alloc(BODY_BYTES, 'x');
    for (let i = 0; i < RECEIVES; i += 1) {
      const headers = { 'content-type': 'text/plain' };
      expect((await client.call('POST', `/v1/topics/${name}/messages/raw`, { bytes, headers })).status).toBe(201);
    }
    const before = await peakMib();

    // Each asks for 64 MiB and reads none of it.
    const body = '{"wait_seconds":30,"max_messages":1}';
    for (let i = 0; i < CLIENTS; i += 1) {
      const socket = open();
      socket.pause();
      socket.write(
        (head(`/v1/subscriptions/${name}-${i}/receive`, await makeKey(), body.length) + body).repeat(RECEIVES),
      );
    }
    // Each sends four bodies of 16 MiB but for their ends.
    const chunk = Buffer.alloc(MIB, 0x20);
    let answered = 0;
    for (let i = 0; i < CLIENTS; i += 1) {
      const key = await makeKey();
      for (let j = 0; j < 4; j += 1) {
        const socket = open();
        socket.write(head(`/v1/topics/${name}/messages`, key, 16 * MIB));
        for (let k = 0; k < 15; k += 1) socket.write(chunk);
        socket.once('data', () => {
          answered += 1;
        });
      }
    }
    // What all of them sent has arrived by then: no more may go on than there is room for.
    await expect.poll(() => answered).toBeGreaterThanOrEqual(CLIENTS * 4 - BUDGET_MIB / 15);
    await expect.poll(async () => (await client.get('/v1/topics')).status).toBe(503);
    expect((await client.get('/healthz')).status).toBe(200);
    const settled = await client.post(`/v1/subscriptions/${name}-0/acknowledge`, { receipts: ['r'] });
    expect(settled.json.code).toBe('nothing_settled');

    for (const socket of sockets) socket.destroy();
    await expect.poll(async () => (await client.get('/v1/topics')).status).toBe(200);
    expect((await peakMib()) - before).toBeLessThan(GROWTH_MIB_MAX);
  });
});
