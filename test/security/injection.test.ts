// Text that would be SQL if anybody took it for that, in every place where a client can put text:
// none of it ever stands in a statement, what may be stored comes back as it was sent, and filters
// find by it what it names and nothing else.

import fc from 'fast-check';
import pg from 'pg';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, type MockInstance, vi } from 'vitest';
import type { CallOptions, Client } from '../support/client.ts';
import { startTestService, type TestService } from '../support/service.ts';

/** In every text that is sent here, so that it is known again wherever it turns up. */
const MARK = 'zq7mark';
const RUNS = 60;

let service: TestService;
let client: Client;
let asked: MockInstance;

beforeAll(async () => {
  service = await startTestService();
  client = service.client;
});
beforeEach(() => {
  asked = vi.spyOn(pg.Client.prototype, 'query');
});
afterEach(() => {
  const texts = asked.mock.calls.map(([query]) =>
    typeof query === 'string' ? query : (query as { text: string }).text,
  );
  asked.mockRestore();
  expect(texts.length).toBeGreaterThan(0);
  expect(texts.filter((text) => text.includes(MARK))).toEqual([]);
});
afterAll(() => service.stop());

const hostile = [
  `${MARK}'; drop table willcall.topic; --`,
  `${MARK}' or '1'='1`,
  `${MARK}\\'; delete from willcall.acknowledgment; --`,
  `${MARK}"; select 1; --`,
  `${MARK}') returning secret_sha256 --`,
  `$1 $2 ${MARK} $$ $willcall$ :name ?`,
  `${MARK}{"a": 1}, {x,NULL,"y"}`,
  `E'\\x27' ${MARK} U&'\\0027' /* -- */ ;`,
  `${MARK} \u2019 \uff07 \u02bc '`,
  `%27%20or%201=1-- ${MARK}`,
  `${MARK}', 'x'), (1, 'y`,
];
const text = fc.oneof(
  fc.constantFrom(...hostile),
  fc
    .string({
      unit: fc.constantFrom("'", '"', '\\', '$', ';', '-', '%', '_', '(', ')', '{', '}', ',', 'a', ' ', 'é', '\n'),
      maxLength: 30,
    })
    .map((each) => `${MARK}${each}`),
);

describe('text that looks like SQL', () => {
  it('in a message comes back as it was sent', async () => {
    const name = await client.freshSubscription();
    await fc.assert(
      fc.asyncProperty(text, async (each) => {
        const message = {
          ...{ body: each, ordering_key: each, dedupe_key: `${MARK}${Math.random()}${each}`.slice(0, 128) },
          attributes: { [MARK]: each },
          content_type: `text/plain; ${MARK}="'; drop table x; --"`,
        };
        const { status } = await client.post(`/v1/topics/${name}/messages`, { messages: [message] });
        expect(status).toBe(201);
        const [received] = await client.receive(name);
        const { body, ordering_key, attributes, content_type } = message;
        expect(received).toMatchObject({ body, ordering_key, attributes, content_type });
        await client.post(`/v1/subscriptions/${name}/acknowledge`, { receipts: [received?.receipt] });
      }),
      { numRuns: RUNS },
    );
  });

  it('in a reference is what the ledger says, and in an error what the dead letters say', async () => {
    const name = await client.freshSubscription();
    for (const each of hostile) {
      await client.publish(name, 'signed', 'refused');
      const [signed, refused] = await client.receive(name);
      const reference = { receipts: [{ receipt: signed?.receipt, reference: each }] };
      expect((await client.post(`/v1/subscriptions/${name}/acknowledge`, reference)).status).toBe(200);
      const error = { receipts: [{ receipt: refused?.receipt, error: { code: each.slice(0, 64), message: each } }] };
      expect((await client.post(`/v1/subscriptions/${name}/reject`, error)).status).toBe(200);
    }
    const { json: ledger } = await client.get<{ acknowledgments: { reference: string }[] }>(
      `/v1/subscriptions/${name}/acknowledgments`,
    );
    expect(ledger.acknowledgments.map(({ reference }) => reference)).toEqual(hostile);
    const { bytes } = await client.get(`/v1/subscriptions/${name}/dead-letters`);
    for (const each of hostile) expect(bytes.toString()).toContain(JSON.stringify(each).slice(1, -1));
  });

  it('as a name, an id, a receipt or a filter is refused, or finds nothing', async () => {
    const name = await client.freshSubscription();
    await client.publish(name, 'x');
    const [message] = await client.receive(name);
    await client.post(`/v1/subscriptions/${name}/acknowledge`, { receipts: [message?.receipt] });
    const expectNothing = async (method: string, path: string, options: CallOptions = {}) => {
      const { status, json } = await client.call<Record<string, unknown>>(method, path, options);
      const found = json?.acknowledgments ?? json?.keys ?? json?.topics ?? json?.dead_letters ?? json?.messages ?? [];
      expect([method, path, status < 500 && status !== 401, found]).toEqual([method, path, true, []]);
    };
    for (const each of hostile) {
      const encoded = encodeURIComponent(each);
      for (const method of ['PUT', 'GET', 'PATCH', 'DELETE']) {
        await expectNothing(method, `/v1/topics/${encoded}`);
        await expectNothing(method, `/v1/subscriptions/${encoded}`);
      }
      await expectNothing('POST', `/v1/topics/${encoded}/messages`, { json: { messages: [{ body: each }] } });
      await expectNothing('POST', `/v1/subscriptions/${encoded}/receive`, { json: { wait_seconds: 0 } });
      await expectNothing('PUT', `/v1/subscriptions/${MARK}`, { json: { topic: each } });
      await expectNothing('PUT', `/v1/subscriptions/${MARK}`, { json: { start: each } });
      await expectNothing('POST', `/v1/subscriptions/${name}/acknowledge`, { json: { receipts: [each] } });
      await expectNothing('GET', `/v1/keys/${encoded}`);
      await expectNothing('DELETE', `/v1/keys/${encoded}`);
      await expectNothing('GET', `/v1/keys?client=${encoded}`);
      await expectNothing('POST', '/v1/keys', { json: { client: each, roles: [{ role: 'admin', topics: [each] }] } });
      await expectNothing('GET', `/v1/topics?after=${encoded}`);
      for (const filter of ['after', 'from', 'until', 'message_id', 'acknowledged_by', 'limit']) {
        await expectNothing('GET', `/v1/subscriptions/${name}/acknowledgments?${filter}=${encoded}`);
      }
      await expectNothing('GET', `/v1/subscriptions/${name}/dead-letters?reason=${encoded}`);
    }
    expect(
      (await client.get<{ acknowledgments: object[] }>(`/v1/subscriptions/${name}/acknowledgments`)).json,
    ).toMatchObject({
      acknowledgments: [{ ack_no: 1 }],
    });
  });

  it('in a header is kept as it is, or refused', async () => {
    const name = await client.freshSubscription();
    for (const each of hostile) {
      const encoded = encodeURIComponent(each);
      const headers = {
        'willcall-ordering-key': encoded,
        'willcall-attribute-a': encoded,
        'idempotency-key': encoded.slice(0, 128),
      };
      const sent = await client.call('POST', `/v1/topics/${name}/messages/raw`, { bytes: Buffer.from(each), headers });
      expect(sent.status).toBe(201);
      const received = await client.call('POST', `/v1/subscriptions/${name}/receive/raw`, {
        json: { wait_seconds: 0 },
        headers: { 'idempotency-key': encoded.slice(0, 128) },
      });
      expect(received.status).toBe(200);
      expect(received.bytes.toString()).toBe(each);
      expect(decodeURIComponent(String(received.headers['willcall-attribute-a']))).toBe(each);
      expect(decodeURIComponent(String(received.headers['willcall-ordering-key']))).toBe(each);
    }
  });

  it('as a key opens nothing', async () => {
    const basic = (pair: string) => `Basic ${Buffer.from(pair).toString('base64')}`;
    const id = 'wk_00000000000000000000';
    for (const each of hostile) {
      for (const authorization of [
        basic(`${each}:${each}`),
        basic(`${id}:${each}`),
        `Bearer ${id}_${encodeURIComponent(each)}`,
      ]) {
        expect((await client.call('GET', '/v1/topics', { key: null, headers: { authorization } })).status).toBe(401);
      }
    }
  });

  it('is a name like any other where it is one, and never a part of a statement', async () => {
    const made = await client.call('PUT', `/v1/subscriptions/${MARK}`, { json: {} });
    expect(made.status).toBe(201);
    await client.publish(MARK, MARK);
    const [message] = await client.receive(MARK);
    await client.post(`/v1/subscriptions/${MARK}/acknowledge`, {
      receipts: [{ receipt: message?.receipt, reference: MARK }],
    });
    const key = await client.post<{ key: string }>('/v1/keys', {
      client: MARK,
      roles: [{ role: 'auditor', topics: [`${MARK}*`] }],
    });
    const topics = await client.call<{ topics: object[] }>('GET', `/v1/topics?after=${MARK.slice(0, -1)}`, {
      key: key.json.key,
    });
    expect(topics.json.topics).toMatchObject([{ name: MARK }]);
    const query = `acknowledged_by=${MARK}&limit=1`;
    expect((await client.get(`/v1/subscriptions/${MARK}/acknowledgments?${query}`)).json).toMatchObject({
      acknowledgments: [],
    });
    expect((await client.call('DELETE', `/v1/topics/${MARK}`)).status).toBe(204);
  });
});
