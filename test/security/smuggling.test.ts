// Requests hidden in requests: whatever two servers could disagree about is refused with the end of
// the connection, and bytes that belong to one request are never taken for the next. Beside
// test/contract/hostile-bytes.test.ts, which has the plain cases.

import { once } from 'node:events';
import { connect } from 'node:net';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import type { Client } from '../support/client.ts';
import { startTestService, type TestService } from '../support/service.ts';

let service: TestService;
let client: Client;
beforeAll(async () => {
  service = await startTestService();
  client = service.client;
  await client.call('PUT', '/v1/subscriptions/vendor');
});
afterEach(async () => {
  // What every test here tries to hide is this.
  expect((await client.get('/v1/topics/smuggled')).status).toBe(404);
});
afterAll(() => service.stop());

/** Everything that comes back until the service ends the connection. */
const send = async (bytes: string): Promise<string> => {
  const socket = connect(Number(new URL(service.url).port), '127.0.0.1');
  let answer = '';
  socket.on('error', () => {});
  socket.setEncoding('latin1').on('data', (chunk: string) => {
    answer += chunk;
  });
  socket.write(Buffer.from(bytes, 'latin1'));
  await once(socket, 'close');
  return answer;
};
const statuses = (answer: string) => [...answer.matchAll(/HTTP\/1\.1 (\d{3}) /g)].map(([, status]) => Number(status));
const authorization = () => `Authorization: Bearer ${service.adminKey}\r\n`;
const hidden = () => `PUT /v1/topics/smuggled HTTP/1.1\r\nHost: t\r\n${authorization()}Content-Length: 0\r\n\r\n`;
const last = 'GET /healthz HTTP/1.1\r\nHost: t\r\nConnection: close\r\n\r\n';
const post = (path: string, ...lines: string[]) =>
  `POST ${path} HTTP/1.1\r\nHost: t\r\n${authorization()}${lines.map((line) => `${line}\r\n`).join('')}\r\n`;
const publish = '/v1/topics/vendor/messages/raw';

describe('a request that another server might read differently', () => {
  it.each<[string, () => string]>([
    [
      'a length and chunks',
      () => `${post(publish, 'Content-Length: 5', 'Transfer-Encoding: chunked')}0\r\n\r\n${hidden()}`,
    ],
    [
      'chunks and a length',
      () => `${post(publish, 'Transfer-Encoding: chunked', 'Content-Length: 5')}0\r\n\r\n${hidden()}`,
    ],
    ['two lengths', () => post(publish, 'Content-Length: 0', `Content-Length: ${hidden().length}`) + hidden()],
    ['a length with a sign', () => post(publish, 'Content-Length: +0') + hidden()],
    ['an empty length', () => post(publish, 'Content-Length: ') + hidden()],
    ['a length beyond any number', () => post(publish, `Content-Length: ${'9'.repeat(25)}`) + hidden()],
    [
      'chunks twice',
      () => `${post(publish, 'Transfer-Encoding: chunked', 'Transfer-Encoding: identity')}0\r\n\r\n${hidden()}`,
    ],
    ['chunks after a tab of old', () => `${post(publish, 'Transfer-Encoding:\x0bchunked')}0\r\n\r\n${hidden()}`],
    [
      'a space before the colon of the encoding',
      () => `${post(publish, 'Transfer-Encoding : chunked')}0\r\n\r\n${hidden()}`,
    ],
    ['a folded encoding', () => `${post(publish, 'Transfer-Encoding:', ' chunked')}0\r\n\r\n${hidden()}`],
    ['line feeds alone', () => post(publish, 'Content-Length: 0').replaceAll('\r\n', '\n') + hidden()],
    ['a line feed alone in a header', () => `${post(publish, `X: a\nTransfer-Encoding: chunked`)}0\r\n\r\n${hidden()}`],
    ['a carriage return alone in a header', () => post(publish, 'X: a\rContent-Length: 0') + hidden()],
    ['a NUL in a header', () => post(publish, 'X: a\0b', 'Content-Length: 0') + hidden()],
    [
      'a chunk size beyond any number',
      () => `${post(publish, 'Transfer-Encoding: chunked')}fffffffffffffffff\r\n${hidden()}`,
    ],
    ['a chunk size with a sign', () => `${post(publish, 'Transfer-Encoding: chunked')}-1\r\n\r\n${hidden()}`],
    [
      'a chunk longer than it says',
      () => `${post(publish, 'Transfer-Encoding: chunked')}1\r\nab\r\n0\r\n\r\n${hidden()}`,
    ],
    ['a space in the method', () => hidden().replace('PUT ', 'PU T ')],
    [
      'chunks in HTTP/1.0',
      () => `${post(publish, 'Transfer-Encoding: chunked').replace('HTTP/1.1', 'HTTP/1.0')}0\r\n\r\n${hidden()}`,
    ],
    [
      'an encoding that encodes nothing',
      () => `GET /healthz HTTP/1.1\r\nHost: t\r\nTransfer-Encoding: identity\r\n\r\n${hidden()}`,
    ],
    [
      'chunks in HTTP/1.0 to a path that is none',
      () => `${post('/%zz', 'Transfer-Encoding: chunked').replace('HTTP/1.1', 'HTTP/1.0')}0\r\n\r\n${hidden()}`,
    ],
    ['no version', () => hidden().replace(' HTTP/1.1', '')],
    ['a version that is none', () => hidden().replace('HTTP/1.1', 'HTTP/1.10')],
    ['another version', () => hidden().replace('HTTP/1.1', 'HTTP/2.0')],
    ['a version of old', () => hidden().replace('HTTP/1.1', 'HTTP/0.9')],
  ])('by %s is refused, and nothing behind it is read', async (_, bytes) => {
    const answer = await send(bytes() + last);
    expect(statuses(answer)).toEqual([400]);
    expect(answer).toMatch(/^connection: close$/im);
  });

  it.each<[string, string]>([
    ['an underscore for a hyphen', 'Transfer_Encoding: chunked'],
    ['a prefix', 'X-Transfer-Encoding: chunked'],
    ['another length', 'X-Content-Length: 0'],
  ])('by a header of nearly that name (%s) is read by the name alone', async (_, line) => {
    const body = hidden();
    expect(statuses(await send(post(publish, line, `Content-Length: ${body.length}`) + body + last))).toEqual([
      201, 200,
    ]);
    const [message] = await client.receive('vendor');
    expect(message?.body).toBe(body);
    await client.post('/v1/subscriptions/vendor/acknowledge', { receipts: [message?.receipt] });
  });
});

describe('the body of a request that is refused', () => {
  it.each<[string, number, (body: string) => string]>([
    [
      'for want of a key',
      401,
      (body) => `POST ${publish} HTTP/1.1\r\nHost: t\r\nContent-Length: ${body.length}\r\n\r\n`,
    ],
    ['for its path', 404, (body) => post('/v1/nowhere', `Content-Length: ${body.length}`)],
    ['for its method', 405, (body) => post('/healthz', `Content-Length: ${body.length}`)],
    ['for its query', 400, (body) => post(`${publish}?x=1`, `Content-Length: ${body.length}`)],
    ['for its type', 415, (body) => post('/v1/topics/vendor/messages', `Content-Length: ${body.length}`)],
    ['for its encoding', 415, (body) => post(publish, 'Content-Encoding: br', `Content-Length: ${body.length}`)],
    ['for a name in it', 400, (body) => post('/v1/topics/-/messages/raw', `Content-Length: ${body.length}`)],
    ['as another site', 403, (body) => post(publish, 'Sec-Fetch-Site: cross-site', `Content-Length: ${body.length}`)],
  ])('%s is never the next request', async (_, status, head) => {
    const body = hidden().repeat(3);
    const [first, ...others] = statuses(await send(head(body) + body + last));
    expect(first).toBe(status);
    // The connection goes on behind the body, or ends.
    expect(others.length === 0 || others.join() === '200').toBe(true);
  });

  it('of one that needs none is never the next request either', async () => {
    const body = hidden();
    const head = `GET /healthz HTTP/1.1\r\nHost: t\r\nContent-Length: ${body.length}\r\n\r\n`;
    const [first, ...others] = statuses(await send(head + body + last));
    expect(first).toBe(200);
    expect(others.length === 0 || others.join() === '200').toBe(true);
  });
});

describe('a path', () => {
  it.each([
    ['with the name of a server before it', 'http://elsewhere.test/v1/topics'],
    ['with letters that are encoded', '/v1/%74opics'],
    ['with a double slash', '//v1/topics'],
    ['with dots', '/healthz/../v1/topics'],
    ['with encoded dots and slashes', '/healthz/%2e%2e%2fv1%2ftopics'],
    ['with a backslash', '/healthz\\..\\v1\\topics'],
    ['with a semicolon', '/healthz;/../v1/topics'],
    ['with a fragment', '/v1/topics#/healthz'],
  ])('%s opens nothing without a key', async (_, path) => {
    const [status] = statuses(await send(`GET ${path} HTTP/1.1\r\nHost: t\r\nConnection: close\r\n\r\n`));
    expect([400, 401, 404]).toContain(status);
  });

  it('cannot be changed by a header that only proxies know', async () => {
    for (const header of ['X-Original-URL', 'X-Rewrite-URL', 'X-HTTP-Method-Override', 'X-Forwarded-Prefix']) {
      const { status, json } = await client.call<{ status: string }>('GET', '/healthz', {
        key: null,
        headers: { [header.toLowerCase()]: header.includes('Method') ? 'DELETE' : '/v1/topics' },
      });
      expect(status).toBe(200);
      expect(json).not.toHaveProperty('topics');
    }
  });
});

describe('what an answer repeats in its headers', () => {
  const evil = 'a\r\nSet-Cookie: stolen=1\r\n\r\n<script>';

  it('cannot make a header of its own, however it came in', async () => {
    const name = await client.freshSubscription();
    const message = { body: 'x', attributes: { a: evil }, ordering_key: evil };
    expect((await client.post(`/v1/topics/${name}/messages`, { messages: [message] })).status).toBe(201);
    const headers = {
      'willcall-attribute-a': encodeURIComponent(evil),
      'willcall-ordering-key': encodeURIComponent(evil),
    };
    const raw = await client.call('POST', `/v1/topics/${name}/messages/raw`, { bytes: Buffer.from('x'), headers });
    expect(raw.status).toBe(201);
    for (let each = 0; each < 2; each += 1) {
      const answer = await client.post(`/v1/subscriptions/${name}/receive/raw`, { wait_seconds: 0 });
      expect(answer.status).toBe(200);
      expect(answer.headers).not.toHaveProperty('set-cookie');
      expect(decodeURIComponent(String(answer.headers['willcall-attribute-a']))).toBe(evil);
      expect(decodeURIComponent(String(answer.headers['willcall-ordering-key']))).toBe(evil);
    }
  });

  it.each([
    ['a content type', { content_type: 'text/plain\r\nSet-Cookie: a=1' }],
    ['a content type with a line feed in a parameter', { content_type: 'text/plain; a=b\nSet-Cookie: a=1' }],
    ['the name of an attribute', { attributes: { 'a\r\nSet-Cookie': '1' } }],
    ['the name of an attribute with a colon', { attributes: { 'a: b': '1' } }],
  ])('is refused where it would have to stand as it is: %s', async (_, fields) => {
    const { status, json } = await client.post('/v1/topics/vendor/messages', { messages: [{ body: 'x', ...fields }] });
    expect([status, json.code]).toEqual([400, 'invalid_request']);
  });

  it('is not the name of the host that was asked', async () => {
    const answer = await send(
      `GET /nothing HTTP/1.1\r\nHost: evil.test\r\n${authorization()}Connection: close\r\n\r\n`,
    );
    expect(statuses(answer)).toEqual([404]);
    expect(answer).not.toContain('evil.test');
  });
});
