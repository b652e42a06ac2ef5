// Whatever is wrong with a field of a request, the answer names it with its limit, and nothing is
// done.

import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { readDocument } from '../docs/pasting.ts';
import type { CallOptions, Client } from '../support/client.ts';
import { type Refusal, expectRefusal as refuses } from '../support/refusal.ts';
import { startTestService, type TestService } from '../support/service.ts';
import { listWrongRequests, type Schema } from '../support/wrong-values.ts';

interface Description {
  paths: Record<string, Record<string, { requestBody?: { content: Record<string, { schema: { $ref: string } }> } }>>;
  components: { schemas: Record<string, Schema> };
}
const { paths, components } = JSON.parse(await readDocument('docs/api/openapi.json')) as Description;
/** Every call that takes JSON, with the schema of what it takes. */
const calls = Object.entries(paths).flatMap(([path, operations]) =>
  Object.entries(operations).flatMap(([method, { requestBody }]): [string, string, Schema][] => {
    const name = requestBody?.content['application/json']?.schema.$ref.split('/').at(-1) ?? '';
    const schema = components.schemas[name];
    const subject = method === 'put' ? 'wrong' : 'vendor';
    return schema === undefined ? [] : [[method.toUpperCase(), path.replace(/\{\w+\}/, subject), schema]];
  }),
);

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
  /** What JSON Schema cannot express. All else is wrong by the service's own description too. */
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
  const subscription = (field: string, value: unknown): [string, string, unknown] => [
    'PUT',
    '/v1/subscriptions/wrong',
    { [field]: value },
  ];
  const post = (verb: string, json: unknown): [string, string, unknown] => ['POST', at(verb), json];

  // Types, bounds, enumerations, unknown and missing fields come from the published schemas; what
  // follows by hand is what those cannot express, and some forms that they express by a pattern.
  const generated = calls.flatMap(([method, path, schema]) =>
    listWrongRequests(schema).map((wrong) => ({ ...wrong, method, path })),
  );
  it.each(generated)('$method $path: $what is named, with its limit', async ({ method, path, json, field, says }) => {
    expect(service.witness.accepts(method, path, json)).toBe(false);
    await expectRefusal([method, path, { json }], { field, says });
  });

  it.each<[string, [string, string, unknown], string, string]>([
    ['ten thousand numbers', ['POST', messages, { messages: list(10_000, 1) }], 'messages', '1 to 1000 items'],
    ['a million numbers', ['POST', messages, { messages: list(1_000_000, 1) }], 'request', 'at most 100000'],
    ['a body with a lone surrogate', publish({ body: 'a\ud800b' }), 'messages[0].body', 'lone surrogates'],
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
    ['an ordering key with a NUL', publish({ body: '', ordering_key: 'a\0' }), 'messages[0].ordering_key', 'NUL'],
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
    [
      'a field named __proto__',
      ['POST', messages, JSON.parse('{"messages":[{"body":"","__proto__":{}}]}')],
      'messages[0].__proto__',
      'unknown',
    ],
    ['a topic whose name is not one', subscription('topic', 'a/b'), 'topic', '1 to 128'],
    ['a start that is no position', subscription('start', 'yesterday'), 'start', 'earliest'],
    ['a start before 1970', subscription('start', '1969-12-31T23:59:59Z'), 'start', 'RFC 3339'],
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
    ['a raw receive of several', post('receive/raw', { max_messages: 2 }), 'max_messages', 'unknown'],
    ['a receipt that is too long', post('acknowledge', { receipts: [text(65)] }), 'receipts[0].receipt', '1 to 64'],
    ['an empty receipt', post('extend', { receipts: [''] }), 'receipts[0].receipt', '1 to 64'],
    [
      'a reference with a NUL',
      post('acknowledge', { receipts: [{ receipt: 'r', reference: '\0' }] }),
      'receipts[0].reference',
      'NUL',
    ],
    [
      'an error with a NUL',
      post('reject', { receipts: [{ receipt: 'r', error: { code: '\0' } }] }),
      'receipts[0].error.code',
      'NUL',
    ],
  ])('such as %s is named, with its limit', async (fault, [method, path, json], field, says) => {
    await expectRefusal([method, path, { json }], { field, says });
    expect(service.witness.accepts(method, path, json)).toBe(beyondSchemas.has(fault));
  });

  it('is one of several that are all listed, within bounds', async () => {
    const { json } = await client.post(messages, { messages: list(1000, {}) });
    expect(json.errors).toHaveLength(20);
    const two = await client.post(messages, { messages: [{ body: 1, zork: 1 }] });
    expect(two.json.errors?.map(({ field }) => field)).toEqual(['messages[0].zork', 'messages[0].body']);
  });

  it.each(['topics', 'subscriptions'])('creates nothing among the %s', async (kind) => {
    expect((await client.get(`/v1/${kind}/wrong`)).status).toBe(404);
  });
});
