// Whatever is wrong with a field of a request, the answer names it with its limit, and nothing is
// done.

import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { CallOptions, Client } from '../support/client.ts';
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
const at = (verb: string) => `/v1/subscriptions/${name}/${verb}`;
const text = (length: number) => 'x'.repeat(length);
const list = (length: number, item: unknown) => Array.from({ length }, () => item);

const expectRefusal = (call: [string, string, CallOptions], expected: Refusal) => refuses(client, call, expected);

afterAll(async () => {
  const { json } = await client.get(`/v1/subscriptions/${name}`);
  expect(json).toMatchObject({ stats: { backlog: 0, in_flight: 0, deferred: 0, dead_letters: 0 } });
});

describe('a wrong field of a JSON body', () => {
  /**
   * What only words can describe: JSON Schema has none for it. All else is wrong by the service's
   * own description too.
   */
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
    ['ten thousand numbers', ['POST', messages, { messages: list(10_000, 1) }], 'messages', '1 to 1000 items'],
    ['a million numbers', ['POST', messages, { messages: list(1_000_000, 1) }], 'request', 'at most 100000'],
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
