// What a browser could be made to do with this service: run or frame an answer, read one for a page
// of another site, or make a call with a key that it keeps. The client here sends what browsers
// send; nothing else does.

import { once } from 'node:events';
import { connect } from 'node:net';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { CallOptions, Client } from '../support/client.ts';
import { startTestService, type TestService } from '../support/service.ts';

let service: TestService;
let client: Client;
let authority: string;
beforeAll(async () => {
  service = await startTestService();
  client = service.client;
  authority = new URL(service.url).host;
});
afterAll(() => service.stop());

const said = {
  'cache-control': 'no-store',
  'x-content-type-options': 'nosniff',
  'content-security-policy': "default-src 'none'; frame-ancestors 'none'",
  'referrer-policy': 'no-referrer',
};
const unsaid = [
  'server',
  'x-powered-by',
  'access-control-allow-origin',
  'access-control-allow-credentials',
  'set-cookie',
];

/** Everything that the service answers to these bytes, until it ends the connection. */
const sendBytes = async (bytes: string): Promise<string> => {
  const socket = connect(Number(new URL(service.url).port), '127.0.0.1');
  let answer = '';
  socket.setEncoding('latin1').on('data', (chunk: string) => {
    answer += chunk;
  });
  socket.write(bytes);
  await once(socket, 'close');
  return answer;
};

describe('the headers of an answer', () => {
  it.each<[number, string, string, CallOptions]>([
    [200, 'GET', '/v1/topics', {}],
    [200, 'GET', '/healthz', { key: null }],
    [200, 'GET', '/openapi.json', { key: null }],
    [400, 'GET', '/v1/topics?x', {}],
    [400, 'GET', '/v1/topics/%zz', {}],
    [401, 'GET', '/v1/topics', { key: null }],
    [404, 'GET', '/nothing', {}],
    [405, 'POST', '/v1/topics', {}],
    [413, 'POST', '/v1/topics/a/messages', { bytes: Buffer.alloc(17 * 1024 * 1024) }],
    [415, 'PUT', '/v1/topics/a', { bytes: Buffer.from('a=1') }],
  ])('with status %i let a browser do nothing with it and name no program: %s %s', async (status, ...call) => {
    const answer = await client.call(...call);
    expect(answer.status).toBe(status);
    expect(answer.headers).toMatchObject(said);
    for (const header of unsaid) expect(answer.headers).not.toHaveProperty(header);
  });

  it('that is refused before it is a request say the same', async () => {
    const [head = ''] = (await sendBytes('hello\r\n\r\n')).split('\r\n\r\n');
    for (const [name, value] of Object.entries(said)) expect(head.toLowerCase()).toContain(`${name}: ${value}`);
    for (const header of unsaid) expect(head).not.toMatch(new RegExp(`^${header}:`, 'im'));
  });

  it('that is a page let it be shown, in no frame and without scripts', async () => {
    const { headers } = await client.call('GET', '/docs', { key: null });
    const { 'content-security-policy': _, ...others } = said;
    expect(headers).toMatchObject(others);
    expect(headers['content-security-policy']).toMatch(/^default-src 'none'; style-src 'sha256-[^']+'; /);
    expect(headers['content-security-policy']).toContain("frame-ancestors 'none'");
    expect(headers['content-security-policy']).not.toMatch(/script-src|unsafe/);
  });

  it.each([
    ['text/html', '<script>alert(1)</script>'],
    ['image/svg+xml', '<svg xmlns="http://www.w3.org/2000/svg" onload="alert(1)"/>'],
    ['text/xml', '<?xml-stylesheet type="text/xsl" href="https://elsewhere.test/x.xsl"?><a/>'],
    ['text/javascript', 'alert(1)'],
  ])("that is a publisher's %s keep it from running as this origin's", async (contentType, body) => {
    const name = await client.freshSubscription();
    const sent = { bytes: Buffer.from(body), headers: { 'content-type': contentType } };
    expect((await client.call('POST', `/v1/topics/${name}/messages/raw`, sent)).status).toBe(201);
    const { headers, bytes } = await client.post(`/v1/subscriptions/${name}/receive/raw`);
    expect(bytes.toString()).toBe(body);
    const csp = "sandbox; default-src 'none'; frame-ancestors 'none'";
    expect(headers).toMatchObject({ ...said, 'content-type': contentType, 'content-security-policy': csp });
  });

  it('that repeat what was sent are JSON, whatever it looks like', async () => {
    const html = '<img src=x onerror=alert(1)>';
    const { status, headers, bytes } = await client.call('PUT', '/v1/topics/a', { json: { [html]: 1 } });
    expect(status).toBe(400);
    expect(headers).toMatchObject({ ...said, 'content-type': 'application/problem+json; charset=utf-8' });
    expect(bytes.toString()).toContain('<img');
  });
});

describe('a call that changes something', () => {
  const publish = async (headers: Record<string, string>) => {
    const name = await client.freshSubscription();
    const bytes = Buffer.from('from a form');
    const call: CallOptions = { bytes, headers: { 'content-type': 'text/plain', ...headers } };
    const { status, json } = await client.call('POST', `/v1/topics/${name}/messages/raw`, call);
    const received = await client.receive(name);
    return { status, code: json.code, published: received.length };
  };

  it.each<[string, Record<string, string>]>([
    ['another site', { 'sec-fetch-site': 'cross-site' }],
    ['a sibling site', { 'sec-fetch-site': 'same-site' }],
    ['another site, by a browser that says no more', { origin: 'https://elsewhere.test' }],
    ['another port', { origin: 'http://127.0.0.1:1' }],
    ['a sandbox', { origin: 'null' }],
    ['another site that calls itself ours', { origin: 'https://elsewhere.test', 'sec-fetch-site': 'cross-site' }],
  ])('is refused to a page of %s, although the browser keeps a key', async (_, headers) => {
    const basic = `Basic ${Buffer.from(`someone:${service.adminKey}`).toString('base64')}`;
    for (const authorization of [`Bearer ${service.adminKey}`, basic]) {
      expect(await publish({ ...headers, authorization })).toEqual({ status: 403, code: 'cross_site', published: 0 });
    }
  });

  it('is refused so on every path that has one', async () => {
    const headers = { 'sec-fetch-site': 'cross-site' };
    for (const [path, item] of Object.entries(service.witness.description.paths)) {
      for (const method of Object.keys(item).filter((each) => each !== 'get')) {
        const url = path.replace(/\{key\}/, 'wk_00000000000000000000').replace(/\{\w+\}/, 'nowhere');
        const { status, json } = await client.call(method.toUpperCase(), url, { headers });
        expect([method, path, status, json.code]).toEqual([method, path, 403, 'cross_site']);
      }
    }
  });

  it.each<[string, () => Record<string, string>]>([
    ['of this origin', () => ({ 'sec-fetch-site': 'same-origin', origin: `http://${authority}` })],
    ['of this origin behind a proxy with TLS', () => ({ origin: `https://${authority.toUpperCase()}` })],
    ['that a person began', () => ({ 'sec-fetch-site': 'none' })],
  ])('is done for a page %s', async (_, headers) => {
    expect(await publish(headers())).toMatchObject({ status: 201, published: 1 });
  });
});

describe('a page of another site', () => {
  it('may follow a link here, and reads no answer: nothing allows it to', async () => {
    const headers = { origin: 'https://elsewhere.test', 'sec-fetch-site': 'cross-site' };
    const answer = await client.call('GET', '/v1/topics', { headers });
    expect(answer.status).toBe(200);
    expect(Object.keys(answer.headers).filter((header) => header.startsWith('access-control-'))).toEqual([]);
  });

  it('that asks first is told no', async () => {
    const headers = { origin: 'https://elsewhere.test', 'access-control-request-method': 'POST' };
    const answer = await client.call('OPTIONS', '/v1/topics/a/messages', { key: null, headers });
    expect(answer.status).toBe(405);
    expect(Object.keys(answer.headers).filter((header) => header.startsWith('access-control-'))).toEqual([]);
  });

  it('gets no echo of a request with its key', async () => {
    const head = `TRACE /v1/topics HTTP/1.1\r\nHost: t\r\nAuthorization: Bearer ${service.adminKey}\r\n`;
    const answer = await sendBytes(`${head}X-Secret: echo-me\r\nConnection: close\r\n\r\n`);
    expect(answer).toMatch(/^HTTP\/1\.1 40[45] /);
    expect(answer).not.toMatch(/echo-me|bearer/i);
  });
});
