// Bytes that no library sends: half requests, too much of them, headers that contradict each other.
// Each is answered with a problem or with the end of the connection, does nothing, and leaves the
// service well.

import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import type { Client } from '../support/client.ts';
import { startTestService, type TestService } from '../support/service.ts';

const MIB = 1024 * 1024;

let service: TestService;
let client: Client;
const name = 'vendor';
beforeAll(async () => {
  service = await startTestService();
  client = service.client;
  await client.call('PUT', `/v1/subscriptions/${name}`);
});
afterEach(async () => {
  const { status, json } = await client.get<{ stats: object }>(`/v1/subscriptions/${name}`);
  expect(status).toBe(200);
  expect(json.stats).toMatchObject({ backlog: 0, in_flight: 0 });
});
afterAll(() => service.stop());

const open = async (): Promise<Socket> => {
  const socket = connect(Number(new URL(service.url).port), '127.0.0.1');
  socket.on('error', () => {});
  await once(socket, 'connect');
  return socket;
};
/** Everything that comes until the service ends the connection. */
const readToEnd = async (socket: Socket): Promise<string> => {
  let text = '';
  socket.setEncoding('utf8').on('data', (chunk: string) => {
    text += chunk;
  });
  if (!socket.closed) await once(socket, 'close');
  return text;
};
const send = async (bytes: string): Promise<string> => {
  const socket = await open();
  socket.write(bytes);
  return readToEnd(socket);
};
const head = (...headers: string[]) =>
  [
    `POST /v1/topics/${name}/messages HTTP/1.1`,
    'Host: t',
    `Authorization: Bearer ${service.adminKey}`,
    'Content-Type: application/json',
    ...headers,
    '\r\n',
  ].join('\r\n');
const body = '{"messages":[{"body":"x"}]}';
const expectProblem = (answer: string, status: number, code: string) => {
  const [start = '', json = ''] = answer.split('\r\n\r\n');
  expect(start).toMatch(new RegExp(`^HTTP/1.1 ${status} `));
  expect(start).toMatch(/^connection: close$/im);
  expect(start).toMatch(/^cache-control: no-store$/im);
  expect(JSON.parse(json)).toMatchObject({ status, code });
};

describe('a request that is cut off', () => {
  it.each([
    ['in its headers', () => head().slice(0, -10)],
    ['in a body whose length was announced', () => head(`Content-Length: ${body.length + 1}`) + body],
    [
      'between two chunks of its body',
      () => `${head('Transfer-Encoding: chunked')}${body.length.toString(16)}\r\n${body}\r\n`,
    ],
    ['within a chunk', () => `${head('Transfer-Encoding: chunked')}ff\r\n${body}`],
  ])('%s does nothing', async (_, bytes) => {
    const socket = await open();
    socket.write(bytes());
    socket.end();
    await readToEnd(socket);
    const other = await open();
    other.write(bytes());
    other.resetAndDestroy();
  });
});

describe('a body that is too large', () => {
  it('is refused by its announced length, without being read', async () => {
    const socket = await open();
    socket.write(head(`Content-Length: ${16 * MIB + 1}`));
    const [first] = (await once(socket.setEncoding('utf8'), 'data')) as [string];
    expect(first).toMatch(/^HTTP\/1\.1 413 /);
    socket.destroy();
  });

  it('is refused as soon as its chunks are too much, and the answer can be read after all was sent', async () => {
    const socket = await open();
    const answer = readToEnd(socket);
    socket.write(head('Transfer-Encoding: chunked'));
    const chunk = `100000\r\n${' '.repeat(MIB)}\r\n`;
    for (let i = 0; i < 18; i += 1) socket.write(chunk);
    socket.write('0\r\n\r\n');
    expectProblem(await answer, 413, 'payload_too_large');
  });
});

describe('headers that contradict each other', () => {
  it.each([
    ['two lengths', () => head('Content-Length: 27', 'Content-Length: 28') + body],
    ['the same length twice', () => head('Content-Length: 27', 'Content-Length: 27') + body],
    ['a list of lengths', () => head('Content-Length: 27, 27') + body],
    ['a length that is no number', () => head('Content-Length: 0x1b') + body],
    ['a length below nothing', () => head('Content-Length: -1') + body],
    ['a length and chunks', () => `${head('Content-Length: 4', 'Transfer-Encoding: chunked')}0\r\n\r\n`],
    ['chunks that are not last', () => `${head('Transfer-Encoding: chunked, gzip')}0\r\n\r\n`],
    ['chunks by an odd name', () => `${head('Transfer-Encoding: xchunked')}0\r\n\r\n`],
    ['a chunk size that is none', () => `${head('Transfer-Encoding: chunked')}zz\r\n`],
    ['a header that is folded', () => head('X: a\r\n b', `Content-Length: ${body.length}`) + body],
    ['a space before the colon', () => head(`Content-Length : ${body.length}`) + body],
    ['another protocol', () => 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n'],
    ['garbage', () => 'hello\r\n\r\n'],
  ])('such as %s are refused, and the connection ends', async (_, bytes) => {
    expectProblem(await send(bytes()), 400, 'malformed_request');
  });
});

describe('a request', () => {
  it.each([
    ['with two hosts', () => head('Host: other', `Content-Length: ${body.length}`, 'Connection: close') + body],
    ['with the same host twice', () => head('Host: t', `Content-Length: ${body.length}`, 'Connection: close') + body],
    [
      'without a host',
      () => `GET /v1/topics HTTP/1.1\r\nAuthorization: Bearer ${service.adminKey}\r\nConnection: close\r\n\r\n`,
    ],
  ])('%s is refused by name', async (_, bytes) => {
    const answer = await send(bytes());
    expectProblem(answer, 400, 'invalid_request');
    expect(answer).toContain('"field":"host"');
  });

  it.each([
    ['of HTTP/1.0 needs no host', 'GET /healthz HTTP/1.0\r\n\r\n'],
    ['may expect what nobody knows', 'GET /healthz HTTP/1.1\r\nHost: t\r\nExpect: tea\r\nConnection: close\r\n\r\n'],
    [
      'may ask for another protocol, and gets this one',
      'GET /healthz HTTP/1.1\r\nHost: t\r\nConnection: Upgrade, close\r\nUpgrade: h2c\r\n\r\n',
    ],
  ])('%s', async (_, bytes) => {
    expect(await send(bytes)).toMatch(/^HTTP\/1\.1 200 /);
  });
});
