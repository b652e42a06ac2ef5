// What is read strictly, so that no two readers of a request see different things in it, and the
// sentences that say what would be right.

import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Client, Problem, Published } from '../support/client.ts';
import { startTestService, type TestService } from '../support/service.ts';

let service: TestService;
let client: Client;
let queue: string;
beforeAll(async () => {
  service = await startTestService();
  client = service.client;
  queue = await client.freshSubscription();
});
afterAll(() => service.stop());

const send = (path: string, text: string, type = 'application/json') =>
  client.call('POST', path, { bytes: Buffer.from(text), headers: { 'content-type': type } });
const messages = () => `/v1/topics/${queue}/messages`;

describe('a field that is given twice', () => {
  it.each([
    ['{"messages":[{"body":"a"}],"messages":[{"body":"b"}]}', 'messages'],
    ['{"messages":[{"body":"a","body":"b"}]}', 'messages[0].body'],
    ['{"messages":[{"body":"a","attributes":{"k":"1","k":"2"}}]}', 'messages[0].attributes.k'],
    ['{"messages":[{"body":"a","bod\\u0079":"b"}]}', 'messages[0].body'],
  ])('refuses the request: %s', async (text, field) => {
    const { status, json } = await send(messages(), text);
    expect([status, json.errors]).toEqual([400, [{ field, message: 'must be given once' }]]);
    expect(await client.receive(queue)).toEqual([]);
  });

  it('is found in a large body too', async () => {
    const filler = JSON.stringify({ body: 'x'.repeat(100_000) });
    const { status, json } = await send(messages(), `{"messages":[${filler},{"body":"a","body":"b"}]}`);
    expect([status, json.errors?.[0]?.field]).toEqual([400, 'messages[1].body']);
  });

  it('is refused by every call that takes JSON', async () => {
    for (const [method, path] of [
      ['PUT', `/v1/topics/${queue}`],
      ['PATCH', `/v1/subscriptions/${queue}`],
      ['POST', `/v1/subscriptions/${queue}/receive`],
      ['POST', `/v1/subscriptions/${queue}/receive/raw`],
      ['POST', `/v1/subscriptions/${queue}/acknowledge`],
      ['POST', '/v1/keys'],
    ] as const) {
      const options = { bytes: Buffer.from('{"a":1,"a":1}'), headers: { 'content-type': 'application/json' } };
      const { status, json } = await client.call(method, path, options);
      expect([path, status, json.detail]).toEqual([path, 400, 'a must be given once.']);
    }
  });
});

describe('the charset of JSON', () => {
  it.each(['application/json; charset=utf-8', 'application/json;charset="UTF-8"', 'application/json'])(
    'may be UTF-8: %s',
    async (type) => {
      expect((await send(`/v1/subscriptions/${queue}/receive`, '{"wait_seconds":0}', type)).status).toBe(200);
    },
  );

  it.each(['iso-8859-1', 'utf-16', '"us-ascii"'])('may be no other: %s', async (charset) => {
    const { status, json } = await send(messages(), '{}', `application/json; charset=${charset}`);
    expect([status, json.code]).toEqual([415, 'unsupported_media_type']);
    expect(json.detail).toContain('charset=utf-8');
  });
});

describe('a sentence', () => {
  it.each<[string, string, unknown, string]>([
    [
      'POST',
      '/v1/subscriptions/Q/acknowledge',
      { receipts: [1] },
      'receipts[0] must be a receipt (a string), or an object with "receipt".',
    ],
    [
      'POST',
      '/v1/subscriptions/Q/release',
      { receipts: [null] },
      'receipts[0] must be a receipt (a string), or an object with "receipt".',
    ],
    [
      'POST',
      '/v1/subscriptions/Q/receive',
      { acknowledge: [[]] },
      'acknowledge[0] must be a receipt (a string), or an object with "receipt".',
    ],
    [
      'POST',
      '/v1/keys',
      { client: 'a', roles: ['consumer'] },
      'roles[0] must be an object such as {"role": "consumer", "subscriptions": ["acme-*"]}.',
    ],
    [
      'POST',
      '/v1/topics/Q/messages',
      { messages: ['text'] },
      'messages[0] must be an object such as {"body": "text"}.',
    ],
    [
      'POST',
      '/v1/subscriptions/Q/receive',
      { wait_seconds: 1e20 },
      'wait_seconds must be a whole number from 0 to 30.',
    ],
    [
      'POST',
      '/v1/subscriptions/Q/acknowledge',
      { receipt: 'x' },
      'receipt is unknown here; did you mean receipts? known are receipts, atomic (1 more under errors).',
    ],
    [
      'POST',
      '/v1/subscriptions/Q/receive',
      { max_message: 1 },
      'max_message is unknown here; did you mean max_messages? known are max_messages, max_bytes, wait_seconds, visibility_timeout_seconds, acknowledge.',
    ],
    [
      'PATCH',
      '/v1/subscriptions/Q',
      { topic: 'x' },
      'topic cannot be changed after the creation: make another subscription (1 more under errors).',
    ],
    [
      'PATCH',
      '/v1/subscriptions/Q',
      { start: 'latest', max_attempts: 3 },
      'start cannot be changed after the creation: make another subscription.',
    ],
    ['PATCH', '/v1/topics/Q', { name: 'x', max_backlog: null }, 'name cannot be changed after the creation.'],
  ])('of %s %s %j says what would be right', async (method, path, json, sentence) => {
    const answer = await client.call(method, path.replace('Q', queue), { json });
    expect([answer.status, answer.json.detail]).toEqual([400, sentence]);
  });

  it('names an id of a message that is none, where it would find nothing', async () => {
    const path = `/v1/subscriptions/${queue}/acknowledgments?message_id=`;
    const { status, json } = await client.get(`${path}xx`);
    expect([status, json.errors?.[0]?.field]).toEqual([400, 'message_id']);
    const [published] = await client.publish(queue, 'x');
    expect((await client.get(path + published?.id)).status).toBe(200);
    await client.receive(queue);
  });
});

describe('a media type', () => {
  it.each(['text/plain; ', 'text/plain;charset=utf-8 ', 'text/plain\t', 'text/plain;\t'])(
    'that a header line cannot hold as it is, is refused: %j',
    async (type) => {
      const { status, json } = await client.post(messages(), { messages: [{ body: 'x', content_type: type }] });
      expect([status, json.errors?.[0]?.field]).toEqual([400, 'messages[0].content_type']);
    },
  );

  it.each(['text/plain', 'text/plain;', 'text/plain ;x=1', 'text/plain;\tcharset=utf-8', 'a/b; x="a; b, c"'])(
    'comes out of every call as it went in: %j',
    async (type) => {
      const name = await client.freshSubscription();
      const json = {
        messages: [
          { body: 'x', content_type: type },
          { body: 'y', content_type: type },
        ],
      };
      const { status } = await client.call<Published & Problem>('POST', `/v1/topics/${name}/messages`, { json });
      if (status === 400) return;
      expect((await client.receive(name, { max_messages: 1 }))[0]?.content_type).toBe(type);
      const raw = await client.call('POST', `/v1/subscriptions/${name}/receive/raw`, { json: { wait_seconds: 0 } });
      expect(raw.headers['content-type']).toBe(type);
    },
  );
});

describe('a time', () => {
  const put = (start: string) => client.call('PUT', `/v1/subscriptions/${client.freshName('t')}`, { json: { start } });

  it.each(['2026-01-31t09:30:00z', '2016-12-31T23:59:60Z', '2017-01-01T00:59:60.5+01:00', '2026-01-31T09:30:00.25z'])(
    'may be any of RFC 3339: %s',
    async (start) => {
      expect((await put(start)).status).toBe(201);
    },
  );

  it('of a leap second is the one before the next minute', async () => {
    const { json } = await client.call<{ start: string }>('PUT', `/v1/subscriptions/${client.freshName('t')}`, {
      json: { start: '2016-12-31T23:59:60Z' },
    });
    expect(json.start).toBe('2017-01-01T00:00:00.000000Z');
  });

  it.each(['2026-01-31T09:30:61Z', '2026-01-31T09:60:00Z', '2026-01-31T09:30Z', '2026-01-31 09:30:00Z'])(
    'may be nothing else: %s',
    async (start) => {
      expect((await put(start)).status).toBe(400);
    },
  );

  it('where a subscription begins is not in the future, but for what clocks differ', async () => {
    const { status, json } = await put(new Date(Date.now() + 60_000).toISOString());
    expect([status, json.errors?.[0]?.field]).toEqual([400, 'start']);
    expect(json.detail).toMatch(/^start must not be in the future/);
    expect((await put(new Date(Date.now() + 1_000).toISOString())).status).toBe(201);
  });

  it('in the future makes neither the subscription nor its topic', async () => {
    const name = client.freshName('t');
    await client.call('PUT', `/v1/topics/${name}`);
    const start = new Date(Date.now() + 3_600_000).toISOString();
    await client.call('PUT', `/v1/subscriptions/${name}`, { json: { start } });
    expect((await client.get(`/v1/subscriptions/${name}`)).status).toBe(404);
  });
});

describe('the front page', () => {
  it('says what this is and where the description is, without a key, a script or anything loaded', async () => {
    const { status, headers, bytes } = await client.call('GET', '/', { key: null });
    expect(status).toBe(200);
    expect(headers['content-type']).toBe('text/html; charset=utf-8');
    expect(headers['content-security-policy']).toContain("default-src 'none'");
    const page = bytes.toString();
    for (const [, path] of page.matchAll(/href="([^"]+)"/g)) {
      expect((await client.call('GET', `/${path}`, { key: null })).status).toBe(200);
    }
    expect(page).toContain('href="docs"');
    expect(page).not.toMatch(/<script|src=/);
  });
});
