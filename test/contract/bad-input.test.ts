// Whatever is wrong with a request, the answer is a 4xx problem that names the field and the limit,
// and nothing is done.

import { once } from 'node:events';
import { connect } from 'node:net';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { CallOptions, Client, Received, SettleAnswer } from '../support/client.ts';
import { type Refusal, expectRefusal as refuses } from '../support/refusal.ts';
import { startTestService, type TestService } from '../support/service.ts';

let service: TestService;
let client: Client;
/** Everything wrong is sent to this one, which must stay as it is. */
const name = 'vendor';
beforeAll(async () => {
  service = await startTestService();
  client = service.client;
  await client.call('PUT', `/v1/subscriptions/${name}`);
});
afterAll(() => service.stop());

const messages = `/v1/topics/${name}/messages`;
const raw = `${messages}/raw`;
const at = (verb: string) => `/v1/subscriptions/${name}/${verb}`;
const text = (length: number) => 'x'.repeat(length);

const expectRefusal = (call: [string, string, CallOptions], expected: Refusal) => refuses(client, call, expected);

afterAll(async () => {
  const { json } = await client.get(`/v1/subscriptions/${name}`);
  expect(json).toMatchObject({ stats: { backlog: 0, in_flight: 0, deferred: 0, dead_letters: 0 } });
});

describe('a wrong body as a whole', () => {
  const json = { 'content-type': 'application/json' };
  it.each<[string, Buffer, string]>([
    ['JSON that ends too soon', Buffer.from('{"messages":[{"body":"x"}'), 'valid JSON'],
    ['JSON with a trailing comma', Buffer.from('{"messages":[],}'), 'valid JSON'],
    ['no JSON at all', Buffer.from('<messages/>'), 'valid JSON'],
    ['broken UTF-8', Buffer.from('{"messages":[{"body":"\xff"}]}', 'latin1'), 'UTF-8'],
    ['UTF-16', Buffer.from('{"messages":[{"body":"x"}]}', 'utf16le'), 'valid JSON'],
  ])('such as %s is refused', async (_, bytes, says) => {
    await expectRefusal(['POST', messages, { bytes, headers: json }], { field: 'request', says });
  });

  it('may begin with a byte order mark', async () => {
    const bytes = Buffer.from('\ufeff{"wait_seconds":0}');
    expect((await client.call('POST', at('receive'), { bytes, headers: json })).status).toBe(200);
  });

  it.each<[string, Record<string, string>]>([
    ['another content type', { 'content-type': 'application/x-www-form-urlencoded' }],
    ['a content type that is none', { 'content-type': 'json' }],
    ['no content type', {}],
    ['a content encoding that is not gzip', { ...json, 'content-encoding': 'br' }],
  ])('with %s is refused with 415', async (_, headers) => {
    const bytes = Buffer.from('{"messages":[{"body":"x"}]}');
    await expectRefusal(['POST', messages, { bytes, headers }], { status: 415, code: 'unsupported_media_type' });
  });

  it('of more than 16 MiB is refused with 413, however it is sent', async () => {
    const bytes = Buffer.alloc(16 * 1024 * 1024 + 1, 0x20);
    const expected = { status: 413, code: 'payload_too_large', says: '16777216 bytes' };
    await expectRefusal(['POST', messages, { bytes, headers: json }], expected);
    const answer = await fetch(service.url + messages, {
      method: 'POST',
      headers: { ...json, authorization: `Bearer ${service.adminKey}` },
      body: new Blob([bytes]).stream(),
      duplex: 'half',
    });
    expect(answer.status).toBe(413);
    expect(((await answer.json()) as { code: string }).code).toBe('payload_too_large');
  });
});

describe('a wrong raw message', () => {
  it.each<[string, Record<string, string | string[]>, string, string]>([
    ['an attribute name that is none', { 'Willcall-Attribute-': 'x' }, 'attributes[""]', 'named'],
    [
      'an attribute that is broken percent-encoding',
      { 'Willcall-Attribute-A': '100%' },
      'willcall-attribute-a',
      'percent',
    ],
    ['an attribute of broken UTF-8', { 'Willcall-Attribute-A': '%FF' }, 'willcall-attribute-a', 'percent'],
    ['an attribute that is no ASCII', { 'Willcall-Attribute-A': '\u00fc' }, 'willcall-attribute-a', 'percent'],
    ['an attribute with a NUL', { 'Willcall-Attribute-A': '%00' }, 'attributes.a', 'NUL'],
    ['an attribute sent twice', { 'Willcall-Attribute-A': ['1', '2'] }, 'willcall-attribute-a', 'once'],
    ['attributes of more than 4 KiB', { 'Willcall-Attribute-A': text(4096) }, 'attributes', '4096 bytes'],
    ['an ordering key sent twice', { 'Willcall-Ordering-Key': ['1', '2'] }, 'willcall-ordering-key', 'once'],
    ['an ordering key that is empty', { 'Willcall-Ordering-Key': '' }, 'willcall-ordering-key', '1 to 256'],
    ['a delay that is no number', { 'Willcall-Delay-Seconds': '1e3' }, 'willcall-delay-seconds', 'whole number'],
    ['an instant that is no time', { 'Willcall-Deliver-At': 'soon' }, 'willcall-deliver-at', 'RFC 3339'],
    ['a header that nobody knows', { 'Willcall-Dedupe-Key': 'x' }, 'willcall-dedupe-key', 'unknown'],
    ['an idempotency key with a blank', { 'Idempotency-Key': 'a b' }, 'Idempotency-Key', '1 to 128'],
    ['two content types', { 'Content-Type': ['text/xml', 'text/plain'] }, 'content-type', 'once'],
    ['a content type that is too long', { 'Content-Type': `a/${text(254)}` }, 'content-type', '255'],
  ])('such as %s is named', async (_, headers, field, says) => {
    await expectRefusal(['POST', raw, { bytes: Buffer.from('x'), headers }], { field, says });
  });

  it('with a content type that is none is refused with 415', async () => {
    const options = { bytes: Buffer.from('x'), headers: { 'content-type': 'xml' } };
    await expectRefusal(['POST', raw, options], { status: 415, code: 'unsupported_media_type' });
  });

  it('that is compressed by anything but gzip is refused', async () => {
    const options = { bytes: Buffer.from('x'), headers: { 'content-encoding': 'br' } };
    await expectRefusal(['POST', raw, options], { status: 415, code: 'unsupported_media_type' });
  });

  it('larger than its topic allows is refused, as is one larger than any topic may allow', async () => {
    const large = { bytes: Buffer.alloc(1024 * 1024 + 1) };
    await expectRefusal(['POST', raw, large], { status: 413, code: 'message_too_large', says: '1048576' });
    const huge = { bytes: Buffer.alloc(10 * 1024 * 1024 + 1) };
    for (const says of ['10485760 bytes', 'max_message_bytes of its topic']) {
      await expectRefusal(['POST', raw, huge], { status: 413, code: 'payload_too_large', says });
    }
  });
});

describe('a wrong path, query or header', () => {
  it.each<[string, string, string]>([
    ['GET', '/v1/topics/-a', 'topic'],
    ['GET', `/v1/topics/${text(129)}`, 'topic'],
    ['GET', '/v1/topics/', 'topic'],
    ['PUT', '/v1/topics/a%2Fb', 'topic'],
    ['PUT', '/v1/topics/%C3%BC', 'topic'],
    ['PUT', '/v1/topics/a%00', 'topic'],
    ['GET', '/v1/subscriptions/a%20b', 'subscription'],
    ['POST', `/v1/subscriptions/${text(129)}/receive`, 'subscription'],
    ['GET', '/v1/topics/a?verbose=1', 'query'],
    ['POST', `${messages}?x`, 'query'],
    ['GET', '/v1/topics?limit=0', 'limit'],
    ['GET', '/v1/topics?limit=1001', 'limit'],
    ['GET', '/v1/topics?limit=ten', 'limit'],
    ['GET', '/v1/topics?limit=1&limit=2', 'limit'],
    ['GET', '/v1/topics?limit', 'limit'],
    ['GET', '/v1/topics?after=%2F', 'after'],
    ['GET', '/v1/topics?after=%FF', '%FF'],
    ['GET', '/v1/subscriptions?page=2', 'page'],
    ['GET', `${at('acknowledgments')}?after=-1`, 'after'],
    ['GET', `${at('acknowledgments')}?after=99999999999999999`, 'after'],
    ['GET', `${at('acknowledgments')}?from=monday`, 'from'],
    ['GET', `${at('acknowledgments')}?message_id=%00`, 'message_id'],
    ['GET', `${at('dead-letters')}?reason=bad`, 'reason'],
  ])('%s %s is named', async (method, path, field) => {
    await expectRefusal([method, path, {}], { field });
  });

  it('of broken percent-encoding is refused', async () => {
    await expectRefusal(['GET', '/v1/topics/%zz', {}], { says: 'percent-encoded' });
  });

  it('that leads nowhere answers 404', async () => {
    for (const path of ['/v2', '/v2/topics', '/v1//topics', '/v1/topics/a/b', '/V1/topics']) {
      await expectRefusal(['GET', path, {}], { status: 404, code: 'not_found' });
    }
  });

  it('that does not know the method answers 405 with those it knows', async () => {
    for (const [method, path, allow] of [
      ['DELETE', '/v1/topics', 'GET, HEAD'],
      ['POST', '/v1/topics/a', 'DELETE, GET, HEAD, PATCH, PUT'],
      ['GET', at('receive'), 'POST'],
      ['PROPFIND', messages, 'POST'],
    ] as const) {
      const { status, headers, json } = await client.call(method, path);
      expect([status, json?.code, headers.allow]).toEqual([405, 'method_not_allowed', allow]);
    }
  });

  it('sent twice is refused, when only one can count', async () => {
    const headers = { authorization: [`Bearer ${service.adminKey}`, 'Bearer other'] };
    await expectRefusal(['GET', '/v1/topics', { headers }], { field: 'authorization', says: 'once' });
  });

  it('that is an idempotency key which is too long is refused', async () => {
    const options = { headers: { 'idempotency-key': text(129) } };
    await expectRefusal(['POST', at('receive'), options], { field: 'Idempotency-Key' });
  });
});

describe('bytes that are no HTTP request', () => {
  const send = async (bytes: string): Promise<string> => {
    const socket = connect(Number(new URL(service.url).port), '127.0.0.1');
    let answer = '';
    socket.setEncoding('utf8').on('data', (chunk) => {
      answer += chunk;
    });
    socket.write(bytes);
    await once(socket, 'close');
    return answer;
  };

  it.each<[string, string, number, string]>([
    ['headers of 40 KiB', `GET / HTTP/1.1\r\nHost: x\r\nX: ${text(40_000)}\r\n\r\n`, 431, 'headers_too_large'],
  ])('such as %s are answered with a problem, and the connection ends', async (_, bytes, status, code) => {
    const answer = await send(bytes);
    const [head = '', body = ''] = answer.split('\r\n\r\n');
    expect(head).toMatch(new RegExp(`^HTTP/1.1 ${status} `));
    expect(head).toContain('content-type: application/problem+json');
    const headers = { 'content-type': 'application/problem+json' };
    service.witness.check({ method: 'GET', path: '/', status, headers, bytes: Buffer.from(body) });
    expect(head).toContain('cache-control: no-store');
    expect(JSON.parse(body)).toMatchObject({ status, code });
  });
});

describe('a refused batch', () => {
  it('leaves nothing half done: neither messages, nor acknowledgments, nor leases', async () => {
    const other = await client.freshSubscription();
    expect((await client.post(`/v1/topics/${other}/messages`, { messages: [{ body: 'a' }, { body: 1 }] })).status).toBe(
      400,
    );
    expect(await client.receive(other)).toEqual([]);

    await client.publish(other, 'a', 'b');
    const [first] = await client.receive(other, { max_messages: 1 });
    const path = `/v1/subscriptions/${other}`;
    for (const [verb, json] of [
      ['acknowledge', { receipts: [first?.receipt, ''] }],
      ['release', { receipts: [first?.receipt, { receipt: first?.receipt, delay_seconds: -1 }] }],
      ['reject', { receipts: [first?.receipt, { receipt: first?.receipt, error: {} }] }],
      ['extend', { receipts: [first?.receipt], visibility_timeout_seconds: 43_201 }],
      ['receive', { acknowledge: [first?.receipt], max_messages: 0 }],
    ] as const) {
      expect((await client.post(`${path}/${verb}`, json)).status).toBe(400);
    }
    const { json } = await client.get(path);
    expect(json).toMatchObject({ stats: { backlog: 1, in_flight: 1, deferred: 0, dead_letters: 0 } });
    const settled = await client.post<SettleAnswer>(`${path}/acknowledge`, { receipts: [first?.receipt] });
    expect(settled.json.results[0]).toMatchObject({ outcome: 'acknowledged', ack_no: 1 });
  });

  it('with forged receipts among the good ones acknowledges the good ones alone', async () => {
    const other = await client.freshSubscription();
    await client.publish(other, 'a');
    const [message] = await client.receive(other);
    const { status, json } = await client.post<Received>(`/v1/subscriptions/${other}/receive`, {
      wait_seconds: 0,
      acknowledge: ['\u0000', 'ü', message?.receipt],
    });
    expect(status).toBe(400);
    expect(json.messages).toBeUndefined();
    const forged = await client.post<SettleAnswer>(`/v1/subscriptions/${other}/acknowledge`, {
      receipts: ['ü', ' ', 'A'.repeat(44), message?.receipt],
    });
    expect(forged.json.results.map(({ outcome }) => outcome)).toEqual([
      'invalid_receipt',
      'invalid_receipt',
      'invalid_receipt',
      'acknowledged',
    ]);
  });
});
