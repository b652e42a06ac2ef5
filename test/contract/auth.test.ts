import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { startTestService, type TestService } from '../support/service.ts';

const adminKey = `correct-horse:${'battery-staple-'.repeat(3)}`;
let service: TestService;
beforeAll(async () => {
  service = await startTestService({ adminKey });
});
afterAll(() => service.stop());

const call = (authorization?: string) =>
  service.client.call('GET', '/v1/topics', {
    key: null,
    ...(authorization === undefined ? {} : { headers: { authorization } }),
  });
const basic = (pair: string) => `Basic ${Buffer.from(pair).toString('base64')}`;

describe('the admin key', () => {
  it.each([
    ['Bearer', `Bearer ${adminKey}`],
    ['bearer in lower case', `bearer ${adminKey}`],
    ['Basic with any user name', basic(`acme:${adminKey}`)],
    ['Basic without a user name', basic(`:${adminKey}`)],
  ])('opens the transport as %s', async (_, authorization) => {
    expect((await call(authorization)).status).toBe(200);
  });

  it.each<[string, string | undefined]>([
    ['no credentials', undefined],
    ['empty credentials', ''],
    ['a wrong key', `Bearer ${'x'.repeat(adminKey.length)}`],
    ['a key cut short', `Bearer ${adminKey.slice(0, -1)}`],
    ['a key with more behind it', `Bearer ${adminKey}x`],
    ['another scheme', `Digest ${adminKey}`],
    ['no scheme', adminKey],
    ['Basic without a colon', basic('admin')],
    ['Basic with the key as the user', basic(`${'k'.repeat(40)}:`)],
    ['Basic that is no base64', 'Basic ***'],
  ])('stays closed to %s, and says what to send', async (_, authorization) => {
    const { status, headers, json } = await call(authorization);
    expect(status).toBe(401);
    expect(headers['www-authenticate']).toBe('Bearer realm="willcall", Basic realm="willcall", charset="UTF-8"');
    expect(headers['content-type']).toBe('application/problem+json; charset=utf-8');
    expect(json).toMatchObject({ code: 'unauthenticated', status: 401 });
    expect(JSON.stringify(json)).not.toContain(adminKey.slice(0, 10));
  });

  it.each(['/v1/topics', '/v1/topics/a?x=1'])('is asked for before anything is said about %s', async (path) => {
    expect((await service.client.call('GET', path, { key: null })).status).toBe(401);
  });

  it.each(['/v1/nothing', '/favicon.ico', '/healthz/', '//'])(
    'is not asked for where there is nothing: %s',
    async (path) => {
      const { status, headers, json } = await service.client.call('GET', path, { key: null });
      expect([status, json.code]).toEqual([404, 'not_found']);
      // A browser would ask its user for a password.
      expect(headers).not.toHaveProperty('www-authenticate');
    },
  );

  it('is not asked for by a method that a path does not know', async () => {
    const { status, headers } = await service.client.call('POST', '/healthz', { key: null });
    expect([status, headers.allow]).toEqual([405, 'GET, HEAD']);
    expect(headers).not.toHaveProperty('www-authenticate');
  });

  it('is asked for before a body is read', async () => {
    const bytes = Buffer.alloc(17 * 1024 * 1024);
    expect((await service.client.call('POST', '/v1/topics/a/messages', { key: null, bytes })).status).toBe(401);
  });

  it('is the principal that records name', async () => {
    const { client } = service;
    const name = await client.freshSubscription();
    await client.publish(name, 'x');
    const [message] = await client.receive(name);
    await client.post(`/v1/subscriptions/${name}/acknowledge`, { receipts: [message?.receipt] });
    const { json } = await client.get(`/v1/subscriptions/${name}/acknowledgments`);
    expect(json).toMatchObject({ acknowledgments: [{ acknowledged_by: 'admin' }] });
  });
});
