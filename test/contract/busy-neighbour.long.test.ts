// A vendor that does nothing forbidden, but very much of it: it extends each of its thousand
// messages alone, as a heartbeat does, and then extends and releases them by the thousand without a
// pause. A stranger's calls go on beside it, and its leases hold.

import { afterAll, beforeAll, expect, it } from 'vitest';
import type { Client, Received, SettleAnswer } from '../support/client.ts';
import { startTestService, type TestService } from '../support/service.ts';

const MESSAGES = 1000;
const ROUNDS = 20;
const LONG = { visibility_timeout_seconds: 600 };
const SHORT = { visibility_timeout_seconds: 5 };
const PAST = { extend: 'extended', release: 'released', acknowledge: 'acknowledged' };
const TEST_MS_MAX = 240_000;

let service: TestService;
let client: Client;
beforeAll(async () => {
  service = await startTestService();
  client = service.client;
});
afterAll(() => service.stop());

async function makeVendor(name: string) {
  const roles = [
    { role: 'consumer', subscriptions: [name] },
    { role: 'publisher', topics: [name] },
  ];
  const { key } = (await client.post<{ key: string }>('/v1/keys', { client: name, roles })).json;
  await client.call('PUT', `/v1/subscriptions/${name}`, { json: { retry: { min_backoff_seconds: 0 } } });
  const path = `/v1/subscriptions/${name}`;
  const post = async <Body>(verb: string, json: object): Promise<Body> => {
    const url = verb === 'messages' ? `/v1/topics/${name}/messages` : `${path}/${verb}`;
    const answer = await client.call<Body>('POST', url, { key, json });
    expect([verb, answer.status]).toEqual([verb, verb === 'messages' ? 201 : 200]);
    return answer.json;
  };
  return {
    publish: (count: number) => post('messages', { messages: Array.from({ length: count }, () => ({ body: 'x' })) }),
    receive: (json: object) => post<Received>('receive', json),
    settle: (verb: 'acknowledge' | 'extend' | 'release', receipts: string[], fields: object = {}) =>
      post<SettleAnswer>(verb, { receipts, ...fields }),
  };
}

type Vendor = Awaited<ReturnType<typeof makeVendor>>;

/** A thousand messages in a lease each. */
async function holdMany(vendor: Vendor): Promise<string[]> {
  await vendor.publish(MESSAGES);
  const { messages } = await vendor.receive({ max_messages: MESSAGES, ...LONG });
  const receipts = messages.map(({ receipt }) => receipt);
  for (const receipt of receipts) await vendor.settle('extend', [receipt], LONG);
  return receipts;
}

/** Calls without a pause, until it is told to stop. */
async function hammer(call: () => Promise<unknown>, stop: AbortSignal): Promise<void> {
  while (!stop.aborted) await call();
}

it('lets a stranger extend, release and acknowledge in time', { timeout: TEST_MS_MAX }, async () => {
  const [holder, returner] = [await makeVendor('holder'), await makeVendor('returner')];
  const stranger = await makeVendor('stranger');
  const held = await holdMany(holder);
  await returner.publish(MESSAGES);
  let answered = 0;
  const extendAll = async () => {
    await holder.settle('extend', held, LONG);
    answered += 1;
  };
  const returnAll = async () => {
    const { messages } = await returner.receive({ max_messages: MESSAGES, ...LONG });
    if (messages.length > 0)
      await returner.settle(
        'release',
        messages.map(({ receipt }) => receipt),
      );
    answered += 1;
  };
  const stop = new AbortController();
  const calls = [extendAll, extendAll, returnAll, returnAll];
  const done = Promise.all(calls.map((call) => hammer(call, stop.signal)));
  await expect.poll(() => answered).toBeGreaterThan(calls.length);

  let passed = 0;
  const settle: Vendor['settle'] = async (...request) => {
    const before = answered;
    const answer = await stranger.settle(...request);
    passed += answered - before;
    expect([request[0], answer.results.map(({ outcome }) => outcome)]).toEqual([request[0], [PAST[request[0]]]]);
    return answer;
  };
  const receive = async () => {
    const { messages } = await stranger.receive({ wait_seconds: 30, ...SHORT });
    return messages.map(({ receipt }) => receipt);
  };
  for (let round = 0; round < ROUNDS; round += 1) {
    await stranger.publish(1);
    const first = await receive();
    await settle('extend', first, SHORT);
    await settle('release', first);
    await settle('acknowledge', await receive());
  }
  // In the same statements as the vendors' it would wait for at least all of them each time.
  expect(passed / (3 * ROUNDS)).toBeLessThan(calls.length);
  stop.abort();
  await done;
});
