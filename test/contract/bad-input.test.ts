// Whatever is wrong with a request, the answer is a 4xx problem that names the field and the limit, and nothing is done.

import { once } from 'node:events';
import { connect } from 'node:net';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { CallOptions, Client, Received, SettleAnswer } from '../support/client.ts';
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
const list = (length: number, item: unknown) => Array.from({ length }, () => item);

const expectRefusal = async (
  [method, path, options]: [string, string, CallOptions],
  expected: { status?: number; code?: string; field?: string; says?: string },
) => {
  const { status, headers, json } = await client.call(method, path, options);
  expect({ status, code: json?.code }).toEqual({
    status: expected.status ?? 400,
    code: expected.code ?? 'invalid_request',
  });
  expect(headers['content-type']).toBe('application/problem+json; charset=utf-8');
  expect(headers['cache-control']).toBe('no-store');
  expect(headers['x-content-type-options']).toBe('nosniff');
  expect(json).toMatchObject({ type: `urn:willcall:problem:${json.code}`, status, title: expect.any(String) });
  if (expected.field !== undefined) {
    expect(json.errors?.map(({ field }) => field)).toContain(expected.field);
    expect(json.detail.startsWith(json.errors?.[0]?.field ?? '?')).toBe(true);
  }
  if (expected.says !== undefined) expect(JSON.stringify(json.errors ?? json.detail)).toContain(expected.says);
};

afterAll(async () => {
  const { json } = await client.get(`/v1/subscriptions/${name}`);
  expect(json).toMatchObject({ stats: { backlog: 0, in_flight: 0, deferred: 0, dead_letters: 0 } });
});

describe('a wrong field of a JSON body', () => {
  /** What only words can describe: JSON Schema has none for it. All else is wrong by the service's own description too. */
  const beyondSchemas = new Set([
    'a body with a lone surrogate',
    'base64 without padding',
    'base64 with a line break',
    'base64 of the URL alphabet',
    'base64 with stray bits',
    'base64 with other text',
    'an attribute with a NUL',
    'an attribute with a lone surrogate',
    'attribute names that differ in case alone',
    'attributes of more than 4 KiB',
    'an ordering key with a NUL',
    'an instant more than a year ahead',
    'a delay and an instant',
    'a start before 1970',
    'back-offs in the wrong order',
    'a back-off above the default maximum',
    'a reference with a NUL',
    'an error with a NUL',
  ]);
  const publish = (message: unknown): [string, string, unknown] => ['POST', messages, { messages: [message] }];
  const topic = (field: string, value: unknown): [string, string, unknown] => [
    'PUT',
    '/v1/topics/wrong',
    { [field]: value },
  ];
  const subscription = (field: string, value: unknown): [string, string, unknown] => [
    'PUT',
    '/v1/subscriptions/wrong',
    { [field]: value },
  ];
  const post = (verb: string, json: unknown): [string, string, unknown] => ['POST', at(verb), json];

  it.each<[string, [string, string, unknown], string, string]>([
    ['no list of messages', ['POST', messages, {}], 'messages', '1 to 1000 items'],
    ['a list of no messages', ['POST', messages, { messages: [] }], 'messages', '1 to 1000 items'],
    ['too many messages', ['POST', messages, { messages: list(1001, { body: '' }) }], 'messages', '1 to 1000 items'],
    ['a million numbers', ['POST', messages, { messages: list(1_000_000, 1) }], 'messages', '1 to 1000 items'],
    ['messages that are no list', ['POST', messages, { messages: { body: 'x' } }], 'messages', '1 to 1000 items'],
    [
      'a field beside the messages',
      ['POST', messages, { messages: [{ body: '' }], atomic: true }],
      'atomic',
      'unknown',
    ],
    ['a message that is no object', publish('text'), 'messages[0]', 'must be an object'],
    ['a message that is null', publish(null), 'messages[0]', 'must be an object'],
    ['a message without a body', publish({}), 'messages[0].body', 'must be a string'],
    ['a body that is an object', publish({ body: {} }), 'messages[0].body', 'must be a string'],
    ['a body with a lone surrogate', publish({ body: 'a\ud800b' }), 'messages[0].body', 'lone surrogates'],
    ['an unknown body encoding', publish({ body: '', body_encoding: 'hex' }), 'messages[0].body_encoding', 'base64'],
    ['base64 without padding', publish({ body: 'QQ', body_encoding: 'base64' }), 'messages[0].body', 'padding'],
    ['base64 with a line break', publish({ body: 'QUJD\nREVG', body_encoding: 'base64' }), 'messages[0].body', 'line'],
    ['base64 of the URL alphabet', publish({ body: '-_-_', body_encoding: 'base64' }), 'messages[0].body', 'base64'],
    ['base64 with stray bits', publish({ body: 'QR==', body_encoding: 'base64' }), 'messages[0].body', 'base64'],
    ['base64 with other text', publish({ body: 'Ü!', body_encoding: 'base64' }), 'messages[0].body', 'base64'],
    ['a content type without a slash', publish({ body: '', content_type: 'xml' }), 'messages[0].content_type', 'media'],
    [
      'a content type with a line break',
      publish({ body: '', content_type: 'a/b\r\nc: d' }),
      'messages[0].content_type',
      'media',
    ],
    [
      'a content type that is no ASCII',
      publish({ body: '', content_type: 'a/b;c=ü' }),
      'messages[0].content_type',
      'media',
    ],
    [
      'a content type that is too long',
      publish({ body: '', content_type: `a/${text(254)}` }),
      'messages[0].content_type',
      '255',
    ],
    [
      'attributes that are a list',
      publish({ body: '', attributes: [] }),
      'messages[0].attributes',
      'object of strings',
    ],
    [
      'an attribute that is a number',
      publish({ body: '', attributes: { a: 1 } }),
      'messages[0].attributes.a',
      'string',
    ],
    ['an attribute with a NUL', publish({ body: '', attributes: { a: '\0' } }), 'messages[0].attributes.a', 'NUL'],
    [
      'an attribute with a lone surrogate',
      publish({ body: '', attributes: { a: '\udfff' } }),
      'messages[0].attributes.a',
      'surrogates',
    ],
    [
      'an attribute name with a space',
      publish({ body: '', attributes: { 'a b': '' } }),
      'messages[0].attributes["a b"]',
      'named',
    ],
    [
      'attribute names that differ in case alone',
      publish({ body: '', attributes: { Ab: '', aB: '' } }),
      'messages[0].attributes.aB',
      'case',
    ],
    [
      '65 attributes',
      publish({ body: '', attributes: Object.fromEntries(list(65, 0).map((_, i) => [`a${i}`, ''])) }),
      'messages[0].attributes',
      '64',
    ],
    [
      'attributes of more than 4 KiB',
      publish({ body: '', attributes: { a: 'ü'.repeat(2048) } }),
      'messages[0].attributes',
      '4096 bytes',
    ],
    ['an ordering key that is empty', publish({ body: '', ordering_key: '' }), 'messages[0].ordering_key', '1 to 256'],
    [
      'an ordering key that is too long',
      publish({ body: '', ordering_key: text(257) }),
      'messages[0].ordering_key',
      '1 to 256',
    ],
    ['an ordering key with a NUL', publish({ body: '', ordering_key: 'a\0' }), 'messages[0].ordering_key', 'NUL'],
    [
      'a delay that is negative',
      publish({ body: '', delay_seconds: -1 }),
      'messages[0].delay_seconds',
      '0 to 31536000',
    ],
    [
      'a delay of more than a year',
      publish({ body: '', delay_seconds: 31_536_001 }),
      'messages[0].delay_seconds',
      '0 to 31536000',
    ],
    ['a delay in fractions', publish({ body: '', delay_seconds: 0.5 }), 'messages[0].delay_seconds', 'whole number'],
    ['a delay in text', publish({ body: '', delay_seconds: '5' }), 'messages[0].delay_seconds', 'whole number'],
    ['an instant that is no time', publish({ body: '', deliver_at: 'tomorrow' }), 'messages[0].deliver_at', 'RFC 3339'],
    [
      'an instant without an offset',
      publish({ body: '', deliver_at: '2027-01-01T00:00:00' }),
      'messages[0].deliver_at',
      'RFC 3339',
    ],
    [
      'the thirtieth of February',
      publish({ body: '', deliver_at: '2027-02-30T00:00:00Z' }),
      'messages[0].deliver_at',
      'RFC 3339',
    ],
    [
      'an instant more than a year ahead',
      publish({ body: '', deliver_at: '9999-01-01T00:00:00Z' }),
      'messages[0].deliver_at',
      '31536000',
    ],
    [
      'a delay and an instant',
      publish({ body: '', delay_seconds: 1, deliver_at: '2026-01-01T00:00:00Z' }),
      'messages[0].deliver_at',
      'one of them',
    ],
    ['a dedupe key that is too long', publish({ body: '', dedupe_key: text(129) }), 'messages[0].dedupe_key', '128'],
    ['a dedupe key that is empty', publish({ body: '', dedupe_key: '' }), 'messages[0].dedupe_key', '1 to 128'],
    [
      'a field named __proto__',
      ['POST', messages, JSON.parse('{"messages":[{"body":"","__proto__":{}}]}')],
      'messages[0].__proto__',
      'unknown',
    ],
    ['a retention that is too short', topic('retention_seconds', 59), 'retention_seconds', '60 to 315360000'],
    ['a retention in text', topic('retention_seconds', '3600'), 'retention_seconds', 'whole number'],
    ['a retention that is null', topic('retention_seconds', null), 'retention_seconds', 'whole number'],
    ['messages of no bytes', topic('max_message_bytes', 0), 'max_message_bytes', '1 to 10485760'],
    ['messages of more than 10 MiB', topic('max_message_bytes', 10_485_761), 'max_message_bytes', '1 to 10485760'],
    ['a backlog of nothing', topic('max_backlog', 0), 'max_backlog', '1 to 1000000000'],
    ['a backlog in text', topic('max_backlog', '9'), 'max_backlog', '1 to 1000000000'],
    ['a window of nothing', topic('dedupe_window_seconds', 0), 'dedupe_window_seconds', '1 to 604800'],
    ['a window of more than a week', topic('dedupe_window_seconds', 604_801), 'dedupe_window_seconds', '1 to 604800'],
    ['a topic whose name is not one', subscription('topic', 'a/b'), 'topic', '1 to 128'],
    ['a start that is no position', subscription('start', 'yesterday'), 'start', 'earliest'],
    ['a start before 1970', subscription('start', '1969-12-31T23:59:59Z'), 'start', 'RFC 3339'],
    [
      'a visibility timeout of nothing',
      subscription('visibility_timeout_seconds', 0),
      'visibility_timeout_seconds',
      '1 to 43200',
    ],
    [
      'a visibility timeout of a day',
      subscription('visibility_timeout_seconds', 86_400),
      'visibility_timeout_seconds',
      '1 to 43200',
    ],
    ['no attempts', subscription('max_attempts', 0), 'max_attempts', '1 to 1000'],
    ['no deliveries', subscription('max_deliveries', 0), 'max_deliveries', '1 to 1000'],
    ['nothing in flight', subscription('max_in_flight', 0), 'max_in_flight', '1 to 1000000'],
    ['a retry that is a number', subscription('retry', 5), 'retry', 'must be an object'],
    ['a retry with an unknown field', subscription('retry', { factor: 2 }), 'retry.factor', 'unknown'],
    [
      'back-offs in the wrong order',
      subscription('retry', { min_backoff_seconds: 9, max_backoff_seconds: 8 }),
      'retry.max_backoff_seconds',
      'min_backoff_seconds',
    ],
    [
      'a back-off above the default maximum',
      subscription('retry', { min_backoff_seconds: 601 }),
      'retry.max_backoff_seconds',
      '600',
    ],
    ['a setting of a later version', subscription('ordered', true), 'ordered', 'unknown'],
    ['a receive of no messages', post('receive', { max_messages: 0 }), 'max_messages', '1 to 1000'],
    ['a receive of too many', post('receive', { max_messages: 1001 }), 'max_messages', '1 to 1000'],
    ['a receive of no bytes', post('receive', { max_bytes: 0 }), 'max_bytes', '1 to 16777216'],
    ['a wait that is too long', post('receive', { wait_seconds: 31 }), 'wait_seconds', '0 to 30'],
    ['a wait that is null', post('receive', { wait_seconds: null }), 'wait_seconds', '0 to 30'],
    [
      'a lease of nothing',
      post('receive', { visibility_timeout_seconds: 0 }),
      'visibility_timeout_seconds',
      '1 to 43200',
    ],
    [
      'an acknowledgment that is no receipt',
      post('receive', { acknowledge: [7] }),
      'acknowledge[0]',
      'must be an object',
    ],
    ['too many acknowledgments', post('receive', { acknowledge: list(1001, 'r') }), 'acknowledge', '0 to 1000'],
    ['a raw receive of several', post('receive/raw', { max_messages: 2 }), 'max_messages', 'unknown'],
    [
      'too many acknowledgments of a raw receive',
      post('receive/raw', { acknowledge: list(101, 'r') }),
      'acknowledge',
      '0 to 100',
    ],
    ['no receipts', post('acknowledge', {}), 'receipts', '1 to 1000'],
    ['a list of no receipts', post('acknowledge', { receipts: [] }), 'receipts', '1 to 1000'],
    ['too many receipts', post('acknowledge', { receipts: list(1001, 'r') }), 'receipts', '1 to 1000'],
    ['a receipt that is too long', post('acknowledge', { receipts: [text(65)] }), 'receipts[0].receipt', '1 to 64'],
    ['an empty receipt', post('extend', { receipts: [''] }), 'receipts[0].receipt', '1 to 64'],
    ['an entry without a receipt', post('release', { receipts: [{}] }), 'receipts[0].receipt', '1 to 64'],
    [
      'a reference that is too long',
      post('acknowledge', { receipts: [{ receipt: 'r', reference: text(257) }] }),
      'receipts[0].reference',
      '256',
    ],
    [
      'a reference with a NUL',
      post('acknowledge', { receipts: [{ receipt: 'r', reference: '\0' }] }),
      'receipts[0].reference',
      'NUL',
    ],
    ['atomic in text', post('acknowledge', { receipts: ['r'], atomic: 'yes' }), 'atomic', 'true or false'],
    [
      'an error without a code',
      post('release', { receipts: [{ receipt: 'r', error: { message: 'm' } }] }),
      'receipts[0].error.code',
      '128',
    ],
    [
      'an error whose message is too long',
      post('reject', { receipts: [{ receipt: 'r', error: { code: 'c', message: text(2049) } }] }),
      'receipts[0].error.message',
      '2048',
    ],
    [
      'an error with a NUL',
      post('reject', { receipts: [{ receipt: 'r', error: { code: '\0' } }] }),
      'receipts[0].error.code',
      'NUL',
    ],
    [
      'a release delayed by more than a day',
      post('release', { receipts: [{ receipt: 'r', delay_seconds: 86_401 }] }),
      'receipts[0].delay_seconds',
      '86400',
    ],
    [
      'an extension of nothing',
      post('extend', { receipts: ['r'], visibility_timeout_seconds: 0 }),
      'visibility_timeout_seconds',
      '1 to 43200',
    ],
    ['a body that is a list', post('receive', []), 'request', 'must be an object'],
    ['a body that is null', post('receive', null), 'request', 'must be an object'],
  ])('such as %s is named, with its limit', async (fault, [method, path, json], field, says) => {
    await expectRefusal([method, path, { json }], { field, says });
    expect(service.witness.accepts(method, path, json)).toBe(beyondSchemas.has(fault));
  });

  it('is one of several that are all listed, within bounds', async () => {
    const { json } = await client.post(messages, { messages: list(1000, {}) });
    expect(json.errors).toHaveLength(20);
    const two = await client.post(messages, { messages: [{ body: 1, zork: 1 }] });
    expect(two.json.errors?.map(({ field }) => field)).toEqual(['messages[0].body', 'messages[0].zork']);
  });

  it.each(['topics', 'subscriptions'])('creates nothing among the %s', async (kind) => {
    expect((await client.get(`/v1/${kind}/wrong`)).status).toBe(404);
  });
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
    await expectRefusal(['POST', raw, huge], { status: 413, code: 'payload_too_large', says: '10485760 bytes' });
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
    for (const path of ['/', '/v2/topics', '/v1//topics', '/v1/topics/a/b', '/V1/topics']) {
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
