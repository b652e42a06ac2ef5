// The bounds on receives that wait, over HTTP.

import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { fairUseDefaults } from '../../src/domain/fair-use.ts';
import type { Client, Received } from '../support/client.ts';
import { startTestService, type TestService } from '../support/service.ts';

let service: TestService;
let client: Client;
beforeAll(async () => {
  service = await startTestService({ fairUse: { ...fairUseDefaults, keyParkedReceives: 2, parkedReceives: 5 } });
  client = service.client;
});
afterAll(() => service.stop());

/** Waits as often as said; resolves to the first answer, and to all of them once there is a message for each. */
const waitTogether = async (count: number, key?: string) => {
  const name = await client.freshSubscription();
  const path = `/v1/subscriptions/${name}/receive`;
  const json = { wait_seconds: 30, max_messages: 1 };
  const calls = Array.from({ length: count }, () =>
    client.call<Received & { code?: string }>('POST', path, { json, ...(key !== undefined && { key }) }),
  );
  const first = await Promise.race(calls);
  await client.publish(name, ...calls.map(String));
  return { first, answers: await Promise.all(calls) };
};

describe('receives that wait', () => {
  it('are refused with 429 beyond the bound of their key', async () => {
    const { json } = await client.post<{ key: string }>('/v1/keys', {
      client: 'acme',
      roles: [{ role: 'consumer', subscriptions: ['*'] }],
    });
    const { first, answers } = await waitTogether(3, json.key);
    expect([first.status, first.json.code, first.headers['retry-after']]).toEqual([429, 'too_many_receives', '5']);
    expect(answers.map(({ status }) => status).sort()).toEqual([200, 200, 429]);
  });

  it('are refused with 503 beyond the bound of the instance, with the admin key too', async () => {
    const { first, answers } = await waitTogether(6);
    expect([first.status, first.json.code, first.headers['retry-after']]).toEqual([503, 'overloaded', '5']);
    expect(answers.map(({ status }) => status).sort()).toEqual([200, 200, 200, 200, 200, 503]);
  });
});
