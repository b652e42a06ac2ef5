import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Client, Problem } from '../support/client.ts';
import { startTestService, type TestService } from '../support/service.ts';

interface Topic {
  name: string;
  retention_seconds: number;
  retain_acknowledged_seconds: number;
  expired_retention_seconds: number;
  max_message_bytes: number;
  created_at: string;
  created_by: string;
}

let service: TestService;
let client: Client;
beforeAll(async () => {
  service = await startTestService();
  client = service.client;
});
afterAll(() => service.stop());

const put = (name: string, json?: object) =>
  client.call<Topic & Problem>('PUT', `/v1/topics/${name}`, json === undefined ? {} : { json });
const patch = (name: string, json: object) => client.call<Topic & Problem>('PATCH', `/v1/topics/${name}`, { json });

describe('a topic', () => {
  it('is created with defaults by an empty PUT, and says where it is', async () => {
    const before = Date.now();
    const { status, headers, json } = await put('invoices');
    expect(status).toBe(201);
    expect(headers.location).toBe('/v1/topics/invoices');
    expect(json).toEqual({
      name: 'invoices',
      id: expect.stringMatching(/^top_[0-9a-f]{32}$/),
      retention_seconds: 604_800,
      retain_acknowledged_seconds: 86_400,
      expired_retention_seconds: 604_800,
      dedupe_window_seconds: 86_400,
      max_message_bytes: 1_048_576,
      max_backlog: null,
      created_at: expect.stringMatching(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z$/),
      created_by: 'admin',
    });
    expect(Math.abs(Date.parse(json.created_at) - before)).toBeLessThan(60_000);
    expect((await client.get<Topic>('/v1/topics/invoices')).json).toEqual(json);
  });

  it('takes the settings of its PUT, and the defaults for the rest', async () => {
    const name = client.freshName('t');
    const settings = { retention_seconds: 60, retain_acknowledged_seconds: 0, max_message_bytes: 10_485_760 };
    const { status, json } = await put(name, settings);
    expect(status).toBe(201);
    expect(json).toMatchObject({ ...settings, expired_retention_seconds: 604_800 });
  });

  it('is answered with 200 and left unchanged by a PUT that agrees', async () => {
    const name = client.freshName('t');
    const created = await put(name, { retention_seconds: 120 });
    for (const again of [await put(name), await put(name, { retention_seconds: 120 })]) {
      expect(again.status).toBe(200);
      expect(again.headers.location).toBeUndefined();
      expect(again.json).toEqual(created.json);
    }
  });

  it('is left unchanged by a PUT that disagrees, which is refused', async () => {
    const name = client.freshName('t');
    const created = await put(name, { retention_seconds: 120 });
    const refused = await put(name, { retention_seconds: 240 });
    expect(refused.status).toBe(409);
    expect(refused.json.code).toBe('topic_conflict');
    expect((await client.get<Topic>(`/v1/topics/${name}`)).json).toEqual(created.json);
  });

  it('is changed by PATCH in what is named, and in nothing else', async () => {
    const name = client.freshName('t');
    const created = await put(name);
    const changed = await patch(name, { max_message_bytes: 100, retention_seconds: 3600 });
    expect(changed.status).toBe(200);
    expect(changed.json).toEqual({ ...created.json, max_message_bytes: 100, retention_seconds: 3600 });
    expect((await client.get<Topic>(`/v1/topics/${name}`)).json).toEqual(changed.json);
  });

  it('is gone after DELETE, with its subscriptions, and its name is free again', async () => {
    const name = await client.freshSubscription();
    const deleted = await client.call('DELETE', `/v1/topics/${name}`);
    expect(deleted.status).toBe(204);
    expect(deleted.bytes).toHaveLength(0);
    expect((await client.get(`/v1/topics/${name}`)).json.code).toBe('topic_not_found');
    expect((await client.get(`/v1/subscriptions/${name}`)).json.code).toBe('subscription_not_found');
    expect((await client.post(`/v1/topics/${name}/messages`, { messages: [{ body: 'x' }] })).status).toBe(404);
    expect((await put(name)).status).toBe(201);
  });

  it.each([
    ['GET', {}],
    ['PATCH', { json: { retention_seconds: 60 } }],
    ['DELETE', {}],
  ])('that does not exist answers %s with 404', async (method, options) => {
    const { status, json } = await client.call(method, '/v1/topics/nobody', options);
    expect(status).toBe(404);
    expect(json.code).toBe('topic_not_found');
  });

  it('may have a name of 128 characters, with dots, underscores and hyphens', async () => {
    const name = `A.${'b_c-'.repeat(31)}9Z`;
    expect(name).toHaveLength(128);
    expect((await put(name)).status).toBe(201);
    expect((await client.get<Topic>(`/v1/topics/${name}`)).json.name).toBe(name);
  });
});
