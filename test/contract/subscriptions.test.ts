import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Client, Problem } from '../support/client.ts';
import { startTestService, type TestService } from '../support/service.ts';

interface Stats {
  backlog: number;
  in_flight: number;
  deferred: number;
  dead_letters: number;
  oldest_unacknowledged_seconds: number | null;
}
interface Subscription {
  name: string;
  topic: string;
  start: string;
  retry: { min_backoff_seconds: number; max_backoff_seconds: number };
  max_in_flight: number | null;
  stats: Stats;
}

let service: TestService;
let client: Client;
beforeAll(async () => {
  service = await startTestService();
  client = service.client;
});
afterAll(() => service.stop());

const put = (name: string, json?: object) =>
  client.call<Subscription & Problem>('PUT', `/v1/subscriptions/${name}`, json === undefined ? {} : { json });
const patch = (name: string, json: object) =>
  client.call<Subscription & Problem>('PATCH', `/v1/subscriptions/${name}`, { json });
const get = (name: string) => client.get<Subscription & Problem>(`/v1/subscriptions/${name}`);
const bodies = async (name: string) => (await client.receive(name)).map(({ body }) => body);

describe('a subscription', () => {
  it('is created with defaults by an empty PUT, together with the topic of its name', async () => {
    const { status, headers, json } = await put('acme');
    expect(status).toBe(201);
    expect(headers.location).toBe('/v1/subscriptions/acme');
    expect(json).toEqual({
      name: 'acme',
      id: expect.stringMatching(/^sub_[0-9a-f]{32}$/),
      topic: 'acme',
      topic_id: expect.stringMatching(/^top_[0-9a-f]{32}$/),
      start: 'latest',
      visibility_timeout_seconds: 30,
      delay_seconds: 0,
      max_attempts: 10,
      max_deliveries: 100,
      retry: { min_backoff_seconds: 1, max_backoff_seconds: 600 },
      max_in_flight: null,
      created_at: expect.stringMatching(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z$/),
      created_by: 'admin',
    });
    expect((await client.get('/v1/topics/acme')).status).toBe(200);
    const { stats, ...settings } = (await get('acme')).json;
    expect(settings).toEqual(json);
    expect(stats).toEqual({
      backlog: 0,
      in_flight: 0,
      deferred: 0,
      dead_letters: 0,
      oldest_unacknowledged_seconds: null,
    });
  });

  it('joins a named topic, which must exist', async () => {
    const topic = client.freshName('t');
    const name = client.freshName('s');
    const refused = await put(name, { topic });
    expect(refused.status).toBe(404);
    expect(refused.json.code).toBe('topic_not_found');
    expect((await get(name)).status).toBe(404);
    await client.call('PUT', `/v1/topics/${topic}`);
    const created = await put(name, { topic });
    expect(created.status).toBe(201);
    expect(created.json.topic).toBe(topic);
  });

  it('is answered with 200 and left unchanged by a PUT that agrees, refused by one that does not', async () => {
    const name = client.freshName('s');
    const created = await put(name, { max_attempts: 3, retry: { min_backoff_seconds: 5 } });
    expect(created.status).toBe(201);
    for (const said of [{}, { max_attempts: 3 }, { topic: name }, { retry: { min_backoff_seconds: 5 } }]) {
      const again = await put(name, said);
      expect(again.status).toBe(200);
      expect(again.json).toEqual(created.json);
    }
    for (const said of [{ max_attempts: 4 }, { topic: 'acme' }, { start: 'earliest' }, { max_in_flight: 1 }]) {
      const refused = await put(name, said);
      expect(refused.status).toBe(409);
      expect(refused.json.code).toBe('subscription_conflict');
    }
    const { stats: _stats, ...settings } = (await get(name)).json;
    expect(settings).toEqual(created.json);
  });

  it('is changed by PATCH in what is named; max_in_flight alone may be null again', async () => {
    const name = client.freshName('s');
    const created = await put(name, { max_in_flight: 7 });
    const changed = await patch(name, { visibility_timeout_seconds: 90, retry: { max_backoff_seconds: 900 } });
    expect(changed.status).toBe(200);
    expect(changed.json).toEqual({
      ...created.json,
      visibility_timeout_seconds: 90,
      retry: { min_backoff_seconds: 1, max_backoff_seconds: 900 },
    });
    expect((await patch(name, { max_in_flight: null })).json.max_in_flight).toBeNull();
    const refused = await patch(name, { max_attempts: null });
    expect(refused.status).toBe(400);
    expect(refused.json.errors?.[0]?.field).toBe('max_attempts');
  });

  it('refuses a PATCH that would put its back-offs in the wrong order with what it already has', async () => {
    const name = client.freshName('s');
    await put(name, { retry: { min_backoff_seconds: 10, max_backoff_seconds: 20 } });
    const refused = await patch(name, { retry: { max_backoff_seconds: 5 } });
    expect(refused.status).toBe(400);
    expect(refused.json.code).toBe('invalid_request');
    expect((await get(name)).json.retry).toEqual({ min_backoff_seconds: 10, max_backoff_seconds: 20 });
  });

  it('keeps its topic and its start: PATCH does not know them', async () => {
    const name = await client.freshSubscription();
    for (const field of ['topic', 'start']) {
      const refused = await patch(name, { [field]: 'latest' });
      expect(refused.status).toBe(400);
      expect(refused.json.errors?.[0]?.field).toBe(field);
    }
  });

  it('begins with what comes, with the oldest, or at an instant', async () => {
    const topic = client.freshName('t');
    await client.call('PUT', `/v1/topics/${topic}`);
    await client.publish(topic, 'old');
    const [latest, earliest, since, later] = ['latest', 'earliest', 'since', 'later'].map((it) => `${topic}-${it}`);
    await put(latest ?? '', { topic });
    await put(earliest ?? '', { topic, start: 'earliest' });
    const instant = '2001-02-03T04:05:06.789+01:00';
    expect((await put(since ?? '', { topic, start: instant })).json.start).toBe('2001-02-03T03:05:06.789000Z');
    await put(later ?? '', { topic, start: new Date(Date.now() + 3_600_000).toISOString() });
    await client.publish(topic, 'new');
    expect(await bodies(latest ?? '')).toEqual(['new']);
    expect(await bodies(earliest ?? '')).toEqual(['old', 'new']);
    expect(await bodies(since ?? '')).toEqual(['old', 'new']);
    expect((await put(since ?? '', { topic, start: instant })).status).toBe(200);
  });

  it('shows what waits, what is in flight and what is set aside', async () => {
    const name = await client.freshSubscription();
    await client.publish(name, 'a', 'b', 'c', 'd', 'e');
    const [first, second, third] = await client.receive(name, { max_messages: 4 });
    const path = `/v1/subscriptions/${name}`;
    await client.post(`${path}/acknowledge`, { receipts: [first?.receipt] });
    await client.post(`${path}/reject`, { receipts: [second?.receipt] });
    await client.post(`${path}/release`, { receipts: [{ receipt: third?.receipt, delay_seconds: 3600 }] });
    const { stats } = (await get(name)).json;
    expect(stats).toMatchObject({ backlog: 1, in_flight: 1, deferred: 1, dead_letters: 1 });
    expect(stats.oldest_unacknowledged_seconds).toBeGreaterThanOrEqual(0);
    expect(stats.oldest_unacknowledged_seconds).toBeLessThan(60);
  });

  it('is gone after DELETE, while its topic and the others stay', async () => {
    const name = await client.freshSubscription();
    const other = client.freshName('s');
    await put(other, { topic: name });
    expect((await client.call('DELETE', `/v1/subscriptions/${name}`)).status).toBe(204);
    const receive = await client.post(`/v1/subscriptions/${name}/receive`, { wait_seconds: 0 });
    expect(receive.json.code).toBe('subscription_not_found');
    await client.publish(name, 'still here');
    expect(await bodies(other)).toEqual(['still here']);
  });

  it.each([
    ['GET', '', {}],
    ['PATCH', '', { json: { max_attempts: 1 } }],
    ['DELETE', '', {}],
    ['POST', '/receive', {}],
    ['POST', '/receive/raw', {}],
    ['POST', '/acknowledge', { json: { receipts: ['x'] } }],
    ['POST', '/release', { json: { receipts: ['x'] } }],
    ['POST', '/extend', { json: { receipts: ['x'] } }],
    ['POST', '/reject', { json: { receipts: ['x'] } }],
    ['GET', '/acknowledgments', {}],
    ['GET', '/dead-letters', {}],
  ])('that does not exist answers %s %s with 404', async (method, path, options) => {
    const { status, json } = await client.call(method, `/v1/subscriptions/nobody${path}`, options);
    expect(status).toBe(404);
    expect(json.code).toBe('subscription_not_found');
  });
});
