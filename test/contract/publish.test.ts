import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Client, Problem, Published } from '../support/client.ts';
import { startTestService, type TestService } from '../support/service.ts';

let service: TestService;
let client: Client;
beforeAll(async () => {
  service = await startTestService();
  client = service.client;
});
afterAll(() => service.stop());

const publish = (topic: string, messages: object[]) =>
  client.post<Published & Problem>(`/v1/topics/${topic}/messages`, { messages });
const publishRaw = (topic: string, bytes: Buffer, headers: Record<string, string> = {}) =>
  client.call<Published & Problem>('POST', `/v1/topics/${topic}/messages/raw`, { bytes, headers });

describe('publishing a list', () => {
  it('answers with one id and one sequence per message, dense and in order', async () => {
    const topic = await client.freshSubscription();
    const first = await publish(topic, [{ body: 'a' }, { body: 'b' }]);
    const second = await publish(topic, [{ body: 'c' }]);
    expect([first.status, second.status]).toEqual([201, 201]);
    const all = [...first.json.messages, ...second.json.messages];
    expect(all.map(({ sequence }) => sequence)).toEqual([1, 2, 3]);
    expect(all.map(({ duplicate }) => duplicate)).toEqual([false, false, false]);
    expect(new Set(all.map(({ id }) => id)).size).toBe(3);
    const received = await client.receive(topic);
    expect(received.map(({ id, sequence, body }) => ({ id, sequence, body }))).toEqual(
      all.map(({ id, sequence }, index) => ({ id, sequence, body: 'abc'[index] })),
    );
  });

  it('hands on content type, attributes and ordering key as they were', async () => {
    const topic = await client.freshSubscription();
    const message = {
      body: '{}',
      content_type: 'application/vnd.example+json; charset="utf-8"; v=1',
      attributes: { 'Trace.Id-1': 'ü, "x"\n\u{1f4ee}', empty: '' },
      ordering_key: 'Müller & Söhne',
    };
    await publish(topic, [message, { body: 'bare' }, { body: 'nulls', content_type: null, attributes: null }]);
    const [full, bare, nulls] = await client.receive(topic);
    expect(full).toMatchObject({ ...message, body_encoding: 'utf8', attempt: 1 });
    expect(bare).toMatchObject({ content_type: null, attributes: null, ordering_key: null });
    expect(nulls).toMatchObject({ content_type: null, attributes: null, ordering_key: null });
  });

  it('takes 1000 messages at once', async () => {
    const topic = await client.freshSubscription();
    const { status, json } = await publish(
      topic,
      Array.from({ length: 1000 }, (_, index) => ({ body: String(index) })),
    );
    expect(status).toBe(201);
    expect(json.messages.map(({ sequence }) => sequence)).toEqual(
      Array.from({ length: 1000 }, (_, index) => index + 1),
    );
  });

  it('gives a delayed message its id at once and its sequence when it is due', async () => {
    const topic = await client.freshSubscription();
    const deliverAt = new Date(Date.now() + 1000).toISOString();
    const { json } = await publish(topic, [
      { body: 'by duration', delay_seconds: 1 },
      { body: 'by instant', deliver_at: deliverAt },
      { body: 'now' },
      { body: 'now as well', delay_seconds: 0 },
    ]);
    expect(json.messages.map(({ sequence }) => sequence === null)).toEqual([true, true, false, false]);
    expect((await client.receive(topic)).map(({ body }) => body)).toEqual(['now', 'now as well']);
    const due = new Map<string, string>();
    while (due.size < 2) {
      for (const message of await client.receive(topic, { wait_seconds: 10 })) due.set(message.body, message.id);
    }
    expect(due.get('by duration')).toBe(json.messages[0]?.id);
    expect(due.get('by instant')).toBe(json.messages[1]?.id);
  });

  it('refuses the whole list when one body is larger than the topic allows', async () => {
    const topic = await client.freshSubscription();
    await client.call('PATCH', `/v1/topics/${topic}`, { json: { max_message_bytes: 10 } });
    const refused = await publish(topic, [{ body: 'fits' }, { body: 'eleven chars' }]);
    expect(refused.status).toBe(413);
    expect(refused.json.code).toBe('message_too_large');
    expect(refused.json.detail).toContain('10');
    expect(await client.receive(topic)).toEqual([]);
    expect((await publish(topic, [{ body: '0123456789' }])).status).toBe(201);
  });

  it('refuses a topic that does not exist', async () => {
    const refused = await publish('nobody', [{ body: 'x' }]);
    expect(refused.status).toBe(404);
    expect(refused.json.code).toBe('topic_not_found');
    expect((await publishRaw('nobody', Buffer.from('x'))).json.code).toBe('topic_not_found');
  });
});

describe('publishing a raw body', () => {
  it('takes the headers for attributes, percent-decoded, and for the ordering key', async () => {
    const topic = await client.freshSubscription();
    const { status, json } = await publishRaw(topic, Buffer.from('<a/>'), {
      'Content-Type': 'text/xml; charset=ISO-8859-1',
      'Willcall-Attribute-Trace.Id': 'M%C3%BCller%2C%20x+y',
      'Willcall-Attribute-EMPTY': '',
      'Willcall-Ordering-Key': 'k%20%F0%9F%93%AE',
    });
    expect(status).toBe(201);
    expect(json.messages).toEqual([{ id: expect.any(String), sequence: 1, duplicate: false }]);
    const [message] = await client.receive(topic);
    expect(message).toMatchObject({
      content_type: 'text/xml; charset=ISO-8859-1',
      attributes: { 'trace.id': 'Müller, x+y', empty: '' },
      ordering_key: 'k \u{1f4ee}',
    });
  });

  it('knows no content type where none was sent, with or without a body', async () => {
    const topic = await client.freshSubscription();
    expect((await publishRaw(topic, Buffer.from('x'))).status).toBe(201);
    expect((await client.call('POST', `/v1/topics/${topic}/messages/raw`)).status).toBe(201);
    const [one, empty] = await client.receive(topic);
    expect(one).toMatchObject({ body: 'x', content_type: null, attributes: null });
    expect(empty).toMatchObject({ body: '', content_type: null });
  });

  it('delays by header', async () => {
    const topic = await client.freshSubscription();
    const later = await publishRaw(topic, Buffer.from('x'), { 'Willcall-Delay-Seconds': '3600' });
    expect(later.json.messages[0]?.sequence).toBeNull();
    const at = new Date(Date.now() + 3_600_000).toISOString();
    const then = await publishRaw(topic, Buffer.from('x'), { 'Willcall-Deliver-At': at });
    expect(then.json.messages[0]?.sequence).toBeNull();
    expect(await client.receive(topic)).toEqual([]);
  });
});

describe('a topic that bounds the backlog of its subscriptions', () => {
  it('refuses with 429, by either call, what would exceed it, and takes it again later', async () => {
    const topic = await client.freshSubscription();
    const patched = await client.call('PATCH', `/v1/topics/${topic}`, { json: { max_backlog: 2 } });
    expect(patched.json).toMatchObject({ max_backlog: 2 });
    await client.publish(topic, 'a', 'b');
    const refusals = [
      await client.post(`/v1/topics/${topic}/messages`, { messages: [{ body: 'c' }] }),
      await client.call('POST', `/v1/topics/${topic}/messages/raw`, { bytes: Buffer.from('c') }),
    ];
    for (const { status, headers, json } of refusals) {
      expect([status, json.code, headers['retry-after']]).toEqual([429, 'backlog_full', '5']);
    }
    expect(await client.receive(topic)).toHaveLength(2);
    await client.publish(topic, 'c');
  });
});
