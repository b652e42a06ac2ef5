// The bounds on receives that wait, over HTTP.

import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { fairUseDefaults } from '../../src/domain/fair-use.ts';
import type { Client, Received, SettleAnswer } from '../support/client.ts';
import { startTestService, type TestService } from '../support/service.ts';

let service: TestService;
let client: Client;
beforeAll(async () => {
  service = await startTestService({ fairUse: { ...fairUseDefaults, keyParkedReceives: 2, parkedReceives: 5 } });
  client = service.client;
});
afterAll(() => service.stop());

/**
 * Waits as often as said; resolves to the first answer, and to all of them once there is a message
 * for each.
 */
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

  it('and are refused keep nobody from settling what is in hand, which is what makes room', async () => {
    const name = await client.freshSubscription();
    await client.publish(name, 'a', 'b', 'c', 'd');
    const [a, b, c, d] = await client.receive(name);
    const parkedAt = await client.freshSubscription();
    const parked = Array.from({ length: 5 }, () =>
      client.post<Received>(`/v1/subscriptions/${parkedAt}/receive`, { wait_seconds: 30, max_messages: 1 }),
    );
    const receive = () =>
      client.post(`/v1/subscriptions/${name}/receive`, { wait_seconds: 0, acknowledge: [a?.receipt] });
    await expect.poll(async () => (await receive()).json.code).toBe('overloaded');
    const settle = async (verb: string, body: object) => {
      const { status, json } = await client.post<SettleAnswer>(`/v1/subscriptions/${name}/${verb}`, body);
      return [status, json.results.map(({ outcome }) => outcome)];
    };
    // It may have come through before all the others were parked, with its acknowledgment.
    const [, [ofA]] = (await settle('acknowledge', { receipts: [a?.receipt] })) as [number, string[]];
    expect(['acknowledged', 'already_acknowledged']).toContain(ofA);
    expect(await settle('extend', { receipts: [b?.receipt], visibility_timeout_seconds: 60 })).toEqual([
      200,
      ['extended'],
    ]);
    expect(await settle('release', { receipts: [{ receipt: c?.receipt }] })).toEqual([200, ['released']]);
    expect(await settle('reject', { receipts: [{ receipt: d?.receipt }] })).toEqual([200, ['rejected']]);
    expect((await receive()).json.code).toBe('overloaded');
    await client.publish(parkedAt, '1', '2', '3', '4', '5');
    expect((await Promise.all(parked)).map(({ status }) => status)).toEqual([200, 200, 200, 200, 200]);
  });
});
