// What a thief gets with a receipt, with a vendor's key, with an auditor's: no more than who lost
// it, and what was done with it bears the name of the key that did it. Whole tables of who may do
// what are in test/contract/access.test.ts.

import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import type { Client, SettleAnswer } from '../support/client.ts';
import { startTestService, type TestService } from '../support/service.ts';

let service: TestService;
let client: Client;
/** Of the vendor, and a receipt for a message that was received with its key. */
let name: string;
let receipt: string;
const keys = new Map<string, { id: string; key: string }>();
const keyOf = (who: string) => keys.get(who)?.key ?? '';

beforeAll(async () => {
  service = await startTestService();
  client = service.client;
});
afterAll(() => service.stop());
beforeEach(async () => {
  name = await client.freshSubscription();
  const other = await client.freshSubscription();
  const roles = {
    vendor: [{ role: 'consumer', subscriptions: [name] }],
    colleague: [{ role: 'consumer', subscriptions: [name] }],
    competitor: [{ role: 'consumer', subscriptions: [other] }],
    auditor: [{ role: 'auditor', topics: [name], subscriptions: [name] }],
    publisher: [{ role: 'publisher', topics: [name] }],
  };
  for (const [who, granted] of Object.entries(roles)) {
    const { json } = await client.post<{ id: string; key: string }>('/v1/keys', { client: who, roles: granted });
    keys.set(who, json);
  }
  keys.set('other', { id: '', key: other });
  await client.publish(name, 'x');
  const received = await client.call<{ messages: { receipt: string }[] }>('POST', `/v1/subscriptions/${name}/receive`, {
    json: { wait_seconds: 0 },
    key: keyOf('vendor'),
  });
  receipt = received.json.messages[0]?.receipt ?? '';
});

const settle = (key: string | null, subscription = name, token = receipt, verb = 'acknowledge') =>
  client.call<SettleAnswer & { code?: string }>('POST', `/v1/subscriptions/${subscription}/${verb}`, {
    json: { receipts: [token] },
    key,
  });
const signers = async () =>
  (
    await client.get<{ acknowledgments: { acknowledged_by: string }[] }>(`/v1/subscriptions/${name}/acknowledgments`)
  ).json.acknowledgments.map(({ acknowledged_by }) => acknowledged_by);

describe('a stolen receipt', () => {
  it('settles nothing without a key, nor with a key that is not for the subscription', async () => {
    expect((await settle(null)).status).toBe(401);
    for (const who of ['competitor', 'auditor', 'publisher']) expect((await settle(keyOf(who))).status).toBe(403);
    const { status, json } = await settle(keyOf('competitor'), keyOf('other'));
    expect([status, json.results[0]?.outcome]).toEqual([409, 'invalid_receipt']);
    expect(await signers()).toEqual([]);
  });

  it('settles with another key of the same subscription, and the ledger names that one', async () => {
    expect((await settle(keyOf('colleague'))).status).toBe(200);
    expect(await signers()).toEqual(['colleague']);
    const { status, json } = await settle(keyOf('vendor'));
    expect([status, json.results[0]?.outcome]).toEqual([200, 'already_acknowledged']);
    expect(await signers()).toEqual(['colleague']);
  });

  it('is good for nothing more once the message was signed for', async () => {
    await settle(keyOf('vendor'));
    for (const verb of ['release', 'extend', 'reject']) {
      expect((await settle(keyOf('colleague'), name, receipt, verb)).status).toBe(409);
    }
    expect(await signers()).toEqual(['vendor']);
  });

  it('cannot be turned into the receipt of another message, by any of its bits', async () => {
    await client.publish(name, 'y');
    await client.receive(name);
    const bytes = Buffer.from(receipt, 'base64url');
    for (let bit = 0; bit < bytes.length * 8; bit += 1) {
      const forged = Buffer.from(bytes);
      forged[bit >> 3] = (forged[bit >> 3] ?? 0) ^ (1 << (bit & 7));
      const { status, json } = await settle(keyOf('vendor'), name, forged.toString('base64url'));
      expect([bit, status, json.results[0]?.outcome]).toEqual([bit, 409, 'invalid_receipt']);
    }
    expect(await signers()).toEqual([]);
  });
});

describe('a stolen key', () => {
  it('of a vendor shows its subscription alone, and no other name', async () => {
    const answers = await Promise.all(
      ['/v1/subscriptions', '/v1/topics', `/v1/subscriptions/${keyOf('other')}`, '/v1/keys', `/v1/topics/${name}`].map(
        (path) => client.call('GET', path, { key: keyOf('vendor') }),
      ),
    );
    expect(answers.map(({ status }) => status)).toEqual([200, 403, 403, 403, 403]);
    for (const { bytes } of answers) expect(bytes.toString()).not.toContain(`"${keyOf('other')}"`);
  });

  it('of an auditor reads, and changes nothing whatever is tried', async () => {
    const { paths } = service.witness.description;
    for (const [path, item] of Object.entries(paths)) {
      for (const method of Object.keys(item).filter((each) => each !== 'get')) {
        const url = path.replace(/\{key\}/, keys.get('vendor')?.id ?? '').replace(/\{\w+\}/, name);
        const { status } = await client.call(method.toUpperCase(), url, { key: keyOf('auditor') });
        expect([method, path, status]).toEqual([method, path, 403]);
      }
    }
  });

  it('that was revoked leaves a receipt behind that another key of the vendor can use', async () => {
    await client.call('DELETE', `/v1/keys/${keys.get('vendor')?.id}`);
    expect((await settle(keyOf('vendor'))).status).toBe(401);
    expect((await settle(keyOf('colleague'))).status).toBe(200);
  });
});

describe('the ledger', () => {
  it('has no call that changes or removes a row, for the admin key neither', async () => {
    const { paths } = service.witness.description;
    const ofLedger = Object.entries(paths).filter(([path]) => path.includes('acknowledgments'));
    expect(ofLedger.length).toBeGreaterThan(0);
    expect(new Set(ofLedger.flatMap(([, item]) => Object.keys(item)))).toEqual(new Set(['get']));
    await settle(keyOf('vendor'));
    await client.call('DELETE', `/v1/subscriptions/${name}`);
    await client.call('DELETE', `/v1/topics/${name}`);
    expect(await signers()).toEqual(['vendor']);
  });
});
