import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createClient, type Problem } from '../support/client.ts';
import { startTestService, type TestService } from '../support/service.ts';

let service: TestService;
beforeAll(async () => {
  service = await startTestService();
});
afterAll(() => service.stop());

describe('the probes', () => {
  it.each([
    ['/healthz', 'ok'],
    ['/readyz', 'ready'],
  ])('%s answers without a key', async (path, expected) => {
    const { status, headers, json } = await service.client.call<{ status: string }>('GET', path, { key: null });
    expect(status).toBe(200);
    expect(json).toEqual({ status: expected });
    expect(headers['cache-control']).toBe('no-store');
    expect(headers['x-content-type-options']).toBe('nosniff');
  });

  it.each(['/healthz?x=1', '/readyz?cache=buster&y', '/healthz?'])(
    '%s is answered as without a query',
    async (path) => {
      expect((await service.client.call('GET', path, { key: null })).status).toBe(200);
    },
  );

  it('answer HEAD as well', async () => {
    const { status, bytes } = await service.client.call('HEAD', '/healthz', { key: null });
    expect([status, bytes.length]).toEqual([200, 0]);
  });
});

describe('shutting down', () => {
  it('answers a parked receive, then refuses connections, and leaves no client waiting', async () => {
    const stopping = await startTestService();
    const { client, url, adminKey, witness } = stopping;
    const name = await client.freshSubscription();
    const other = createClient(url, adminKey, witness);
    const parked = other.call<Problem & { messages: object[] }>('POST', `/v1/subscriptions/${name}/receive`, {
      json: { wait_seconds: 30 },
    });
    await client.receive(name);
    const started = performance.now();
    const [answer] = await Promise.all([parked, stopping.stop()]);
    expect(performance.now() - started).toBeLessThan(25_000);
    expect([200, 503]).toContain(answer.status);
    if (answer.status === 200) expect(answer.json.messages).toEqual([]);
    else expect(answer.json.code).toBe('shutting_down');
    expect(answer.headers.connection).toBe('close');
    await expect(other.get('/healthz')).rejects.toThrow();
    other.close();
  });
});
