// A client that stops reading in the middle of its answer, and neither goes on nor goes away. It
// holds its connection and its share of the budget; its messages it holds no longer than it was
// told.

import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { type Client, createClient } from '../support/client.ts';
import { type ServiceProcess, startServiceProcess } from '../support/service-process.ts';

const MIB = 1024 * 1024;
/** More than the buffers between two sockets take. */
const BODY_BYTES = 10 * MIB;

let service: ServiceProcess;
let client: Client;
beforeAll(async () => {
  service = await startServiceProcess();
  client = createClient(service.url, service.adminKey);
});
afterAll(async () => {
  client.close();
  await service.stop();
});

/** A queue with one large message. */
async function makeQueue(visibilityTimeoutSeconds: number): Promise<string> {
  const name = client.freshName('stalled');
  await client.call('PUT', `/v1/topics/${name}`, { json: { max_message_bytes: BODY_BYTES } });
  const json = { topic: name, visibility_timeout_seconds: visibilityTimeoutSeconds, retry: { min_backoff_seconds: 0 } };
  await client.call('PUT', `/v1/subscriptions/${name}`, { json });
  const bytes = Buffer.alloc(BODY_BYTES, 'x');
  const headers = { 'content-type': 'text/plain' };
  expect((await client.call('POST', `/v1/topics/${name}/messages/raw`, { bytes, headers })).status).toBe(201);
  return name;
}

/** Receives, reads the beginning of the answer, and then no more: its message is leased. */
async function stallIn(name: string): Promise<Socket> {
  const socket = connect(Number(new URL(service.url).port), '127.0.0.1');
  socket.on('error', () => {});
  const body = JSON.stringify({ wait_seconds: 30, max_bytes: BODY_BYTES });
  socket.write(
    `POST /v1/subscriptions/${name}/receive HTTP/1.1\r\nHost: t\r\nAuthorization: Bearer ${service.adminKey}\r\n` +
      `Content-Type: application/json\r\nContent-Length: ${body.length}\r\n\r\n${body}`,
  );
  const [beginning] = (await once(socket, 'data')) as [Buffer];
  socket.pause();
  expect(beginning.toString('latin1')).toMatch(/^HTTP\/1\.1 200 /);
  return socket;
}

it('has its message come back after its visibility timeout, for others, as another attempt', async () => {
  const name = await makeQueue(2);
  const socket = await stallIn(name);
  const [message] = await client.receive(name, { wait_seconds: 30, max_bytes: BODY_BYTES });
  expect([message?.attempt, message?.body.length]).toEqual([2, BODY_BYTES]);
  expect([socket.destroyed, socket.bytesRead < BODY_BYTES]).toEqual([false, true]);
  socket.destroy();
});

it('does not keep an instance from stopping in order, and its message is handed back', async () => {
  const name = await makeQueue(600);
  const socket = await stallIn(name);
  expect(await service.end()).toBe(0);
  await service.start();
  // Its lease would have gone on for ten minutes.
  const [message] = await client.receive(name, { wait_seconds: 30, max_bytes: BODY_BYTES });
  expect([message?.attempt, message?.body.length]).toEqual([2, BODY_BYTES]);
  socket.destroy();
});
