// How often a key may call: what its answers say of it, and what becomes of the calls beyond.

import { once } from 'node:events';
import { connect } from 'node:net';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { fairUseDefaults } from '../../src/domain/fair-use.ts';
import type { Answer, Client, Problem } from '../support/client.ts';
import { startTestService, type TestService } from '../support/service.ts';

let service: TestService;
let client: Client;
beforeAll(async () => {
  service = await startTestService({ fairUse: { ...fairUseDefaults, keyRequestsPerSecond: 2 } });
  client = service.client;
});
afterAll(() => service.stop());

const everything = { role: 'admin', topics: ['*'], subscriptions: ['*'] };
const makeKey = async (fields: object = {}) => {
  const { json } = await client.post<{ key: string }>('/v1/keys', { client: 'acme', roles: [everything], ...fields });
  return json.key;
};
const ask = (key: string | undefined, path = '/v1/topics') =>
  client.call('GET', path, key === undefined ? {} : { key });
/**
 * Asks until the rate is used up. The rate is two a second, so that a machine has to be very slow
 * never to get there.
 */
const askUntilRefused = async (key: string): Promise<Answer<Problem>> => {
  for (let asked = 0; asked < 1_000; asked += 1) {
    const answer = await ask(key);
    if (answer.status !== 200) return answer;
  }
  throw new Error('never refused');
};
const fieldsOf = ({ headers }: Answer<unknown>) => [headers['ratelimit-policy'], headers.ratelimit];

describe('an answer to a key whose calls are counted', () => {
  it('says what is left, whatever else it says', async () => {
    const key = await makeKey({ requests_per_second: 100 });
    expect(fieldsOf(await ask(key))).toEqual(['"key";q=200;w=2', '"key";r=199;t=1']);
    const left = /^"key";r=1\d\d;t=1$/;
    expect(fieldsOf(await ask(key, '/v1/topics/nowhere'))[1]).toMatch(left);
    // Where there is no call, no key is asked for, and nothing is counted.
    expect(fieldsOf(await ask(key, '/v1/nowhere'))).toEqual([undefined, undefined]);
    expect(fieldsOf(await client.call('PATCH', '/v1/topics', { key }))).toEqual([undefined, undefined]);
    const narrow = await makeKey({ roles: [{ role: 'consumer', subscriptions: ['a'] }], requests_per_second: 100 });
    const forbidden = await ask(narrow);
    expect([forbidden.status, ...fieldsOf(forbidden)]).toEqual([403, '"key";q=200;w=2', '"key";r=199;t=1']);
  });

  it('counts by the setting of the service where the key has no rate of its own', async () => {
    expect(fieldsOf(await ask(await makeKey()))).toEqual(['"key";q=10;w=5', '"key";r=9;t=1']);
  });

  it('says nothing of it to the admin key, nor to a key without a bound, nor to nobody', async () => {
    expect(fieldsOf(await ask(undefined))).toEqual([undefined, undefined]);
    expect(fieldsOf(await ask(await makeKey({ requests_per_second: 0 })))).toEqual([undefined, undefined]);
    expect(fieldsOf(await ask(undefined, '/healthz'))).toEqual([undefined, undefined]);
  });

  it('shows the rate of the key with the key', async () => {
    const made = await client.post<{ id: string }>('/v1/keys', {
      ...{ client: 'acme', roles: [everything], requests_per_second: 7 },
    });
    expect(made.json).toMatchObject({ requests_per_second: 7 });
    expect((await client.get(`/v1/keys/${made.json.id}`)).json).toMatchObject({ requests_per_second: 7 });
  });
});

describe('a call beyond the rate of its key', () => {
  it('is answered 429 with the seconds to wait', async () => {
    const { status, headers, json } = await askUntilRefused(await makeKey());
    expect([status, json.code, headers['retry-after']]).toEqual([429, 'rate_limited', '1']);
    expect(headers.ratelimit).toMatch(/^"key";r=0;t=5$/);
  });

  it('does nothing', async () => {
    const name = await client.freshSubscription();
    const key = await makeKey();
    await askUntilRefused(key);
    const statuses: number[] = [];
    for (let i = 0; i < 20; i += 1) {
      const json = { messages: [{ body: 'x' }] };
      statuses.push((await client.call('POST', `/v1/topics/${name}/messages`, { key, json })).status);
    }
    expect(statuses).toContain(429);
    const { json } = await client.get<{ stats: object }>(`/v1/subscriptions/${name}`);
    expect(json.stats).toMatchObject({ backlog: statuses.filter((status) => status === 201).length });
  });

  it('is answered before its body has arrived', async () => {
    const key = await makeKey();
    await askUntilRefused(key);
    let answer = '';
    // A call may have been earned meanwhile; it waits for its body, and the next one does not.
    const sockets = Array.from({ length: 10 }, () => {
      const socket = connect(Number(new URL(service.url).port), '127.0.0.1');
      socket.setEncoding('utf8').on('data', (chunk: string) => {
        answer += chunk;
      });
      socket.write(
        `POST /v1/topics/t/messages HTTP/1.1\r\nHost: t\r\nAuthorization: Bearer ${key}\r\n` +
          'Content-Type: application/json\r\nContent-Length: 1000000\r\n\r\n',
      );
      return socket;
    });
    await expect.poll(() => answer).toContain('HTTP/1.1 429 ');
    for (const socket of sockets) socket.destroy();
    await Promise.all(sockets.map((socket) => socket.closed || once(socket, 'close')));
  });

  it('keeps no other key from calling', async () => {
    const key = await makeKey();
    const other = await makeKey();
    await askUntilRefused(key);
    expect((await ask(other)).status).toBe(200);
    expect((await ask(undefined)).status).toBe(200);
  });
});
