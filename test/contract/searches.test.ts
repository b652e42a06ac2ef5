// What auditors search: acknowledgments over many ledgers, and messages that were not acknowledged
// by a time.

import { createHash } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Client } from '../support/client.ts';
import { startTestService, type TestService } from '../support/service.ts';

interface Row {
  subscription: string;
  ack_no: number;
  reference: string | null;
  message_id: string;
  acknowledged_at: string;
}
interface Found {
  acknowledgments: Row[];
  next: string | null;
  has_more: boolean;
}
interface Late {
  messages: {
    sequence: number;
    message_id: string;
    acknowledged_at: string | null;
    dead_letter_no: number | null;
    published_at: string;
    published_by: string;
  }[];
  next: string;
  has_more: boolean;
  complete_from: string | null;
}

let service: TestService;
let client: Client;
let acme: string;
let auditor: string;
let lateComer: string;

const makeKey = async (name: string, role: object): Promise<{ id: string; key: string }> =>
  (await client.post<{ id: string; key: string }>('/v1/keys', { client: name, roles: [role] })).json;
const search = async (query = '', key = auditor): Promise<Found> => {
  const { status, json } = await client.call<Found>('GET', `/v1/acknowledgments${query}`, { key });
  expect([query, status]).toEqual([query, 200]);
  return json;
};
const placesOf = ({ acknowledgments }: Found) => acknowledgments.map((row) => `${row.subscription} ${row.ack_no}`);
const sign = async (name: string, bodies: string[], key: string | null, reference?: string): Promise<void> => {
  await client.publish(name, ...bodies);
  const batch = await client.receive(name, { max_messages: bodies.length });
  const receipts = batch.map(({ receipt }) => (reference === undefined ? receipt : { receipt, reference }));
  await client.call('POST', `/v1/subscriptions/${name}/acknowledge`, { json: { receipts }, ...(key && { key }) });
};

let keyId: string;
beforeAll(async () => {
  service = await startTestService();
  client = service.client;
  ({ id: keyId, key: acme } = await makeKey('acme', { role: 'consumer', subscriptions: ['a-*'] }));
  ({ key: auditor } = await makeKey('bank-audit', { role: 'auditor', subscriptions: ['a-*', 'b'] }));
  for (const name of ['a-1', 'a-2', 'b', 'c']) await client.call('PUT', `/v1/subscriptions/${name}`);
  await sign('a-1', ['one', 'two', 'three'], acme, 'R-1');
  await sign('a-2', ['one'], acme, 'R-2');
  await sign('b', ['x', 'y'], null, 'R-1');
  await sign('c', ['z'], null, 'R-1');
  await client.call('DELETE', '/v1/subscriptions/a-1');
  lateComer = 'b';
});
afterAll(() => service.stop());

describe('a search over ledgers', () => {
  it('finds what the key covers, ledger by ledger, of deleted subscriptions too', async () => {
    const { acknowledgments, next, has_more } = await search();
    expect(placesOf({ acknowledgments, next, has_more })).toEqual(['a-1 1', 'a-1 2', 'a-1 3', 'a-2 1', 'b 1', 'b 2']);
    expect([next, has_more]).toEqual([null, false]);
  });

  it('comes in pages that neither skip nor repeat', async () => {
    const found: string[] = [];
    let after = '';
    for (let page = await search('?limit=2'); ; page = await search(`?limit=2&after=${after}`)) {
      found.push(...placesOf(page));
      if (page.next === null) break;
      after = page.next;
    }
    expect(found).toEqual(placesOf(await search()));
  });

  it('is narrowed by client, key, reference, digest, topic, message and time', async () => {
    const digest = (body: string) => createHash('sha256').update(body).digest('hex');
    expect(placesOf(await search('?acknowledged_by=acme'))).toEqual(['a-1 1', 'a-1 2', 'a-1 3', 'a-2 1']);
    expect(placesOf(await search(`?key_id=${keyId}`))).toEqual(['a-1 1', 'a-1 2', 'a-1 3', 'a-2 1']);
    expect(placesOf(await search('?reference=R-1'))).toEqual(['a-1 1', 'a-1 2', 'a-1 3', 'b 1', 'b 2']);
    expect(placesOf(await search('?reference=R-1&limit=4'))).toHaveLength(4);
    expect(placesOf(await search('?reference=R-1&acknowledged_by=admin'))).toEqual(['b 1', 'b 2']);
    expect(placesOf(await search(`?body_sha256=${digest('one')}`))).toEqual(['a-1 1', 'a-2 1']);
    expect(placesOf(await search('?topic=b'))).toEqual(['b 1', 'b 2']);
    expect(placesOf(await search('?reference=nothing'))).toEqual([]);
    const rows = (await search()).acknowledgments;
    const second = rows[1] as Row;
    expect(placesOf(await search(`?message_id=${second.message_id}`))).toEqual(['a-1 2']);
    expect(placesOf(await search(`?message_id=${second.message_id}&reference=R-2`))).toEqual([]);
    const [first, last] = [rows[0] as Row, rows.at(-1) as Row];
    expect(placesOf(await search(`?from=${last.acknowledged_at}`))).toEqual(['b 1', 'b 2']);
    expect(placesOf(await search(`?until=${first.acknowledged_at}`))).toEqual([]);
  });

  it('is for those who read all, and refuses what makes no sense', async () => {
    for (const query of [
      '?message_id=xx',
      '?until=2026-01-01T00:00:00Z&from=2026-01-02T00:00:00Z',
      '?after=3',
      '?after=x',
    ]) {
      expect((await client.call('GET', `/v1/acknowledgments${query}`, { key: auditor })).status).toBe(400);
    }
    expect((await client.call('GET', '/v1/acknowledgments', { key: acme })).status).toBe(403);
  });
});

describe('what was not acknowledged by a time', () => {
  const late = async (query = '', name = lateComer): Promise<Late> => {
    const { status, json } = await client.get<Late>(`/v1/subscriptions/${name}/unacknowledged${query}`);
    expect([query, status]).toEqual([query, 200]);
    return json;
  };
  const soon = () => encodeURIComponent(new Date(Date.now() + 60_000).toISOString());

  it('is listed in order of sequence, with what became of it since', async () => {
    const name = await client.freshSubscription({ max_attempts: 1 });
    await client.publish(name, 'a', 'b', 'c', 'd');
    const [a, b] = await client.receive(name, { max_messages: 2 });
    await client.post(`/v1/subscriptions/${name}/acknowledge`, { receipts: [a?.receipt] });
    await client.post(`/v1/subscriptions/${name}/reject`, { receipts: [b?.receipt] });
    const now = await late(`?by=${soon()}`, name);
    expect(now.messages.map(({ sequence, dead_letter_no }) => [sequence, dead_letter_no])).toEqual([
      [2, 1],
      [3, null],
      [4, null],
    ]);
    expect(now.messages[0]).toMatchObject({ message_id: b?.id, published_by: 'admin', acknowledged_at: null });
    expect(now).toMatchObject({ has_more: false, complete_from: now.messages[0]?.published_at });
    const [row] = (await client.get<{ acknowledgments: Row[] }>(`/v1/subscriptions/${name}/acknowledgments`)).json
      .acknowledgments;
    const before = await late(`?by=${row?.acknowledged_at}`, name);
    expect(before.messages[0]).toMatchObject({ sequence: 1, acknowledged_at: row?.acknowledged_at });
    expect((await late(`?by=${now.messages[0]?.published_at}`, name)).messages).toEqual([]);
    expect((await late(`?from=${soon()}&by=${soon()}`, name)).messages).toEqual([]);
  });

  it('comes in pages, and begins where the subscription began to read', async () => {
    const topic = client.freshName('topic');
    await client.call('PUT', `/v1/topics/${topic}`);
    await client.post(`/v1/topics/${topic}/messages`, { messages: [{ body: 'before' }] });
    const name = client.freshName('late');
    await client.call('PUT', `/v1/subscriptions/${name}`, { json: { topic } });
    const messages = ['1', '2', '3', '4', '5'].map((body) => ({ body }));
    await client.post(`/v1/topics/${topic}/messages`, { messages });
    const found: number[] = [];
    let page = await late(`?limit=2&by=${soon()}`, name);
    for (;;) {
      found.push(...page.messages.map(({ sequence }) => sequence));
      if (!page.has_more) break;
      page = await late(`?limit=2&by=${soon()}&after=${page.next}`, name);
    }
    expect(found).toEqual([2, 3, 4, 5, 6]);
  });

  it('is for those who read all, and refuses a span that ends before it begins', async () => {
    const path = '/v1/subscriptions/a-2/unacknowledged';
    expect((await client.call('GET', path, { key: acme })).status).toBe(403);
    expect((await client.call('GET', path, { key: auditor })).status).toBe(200);
    const { status, json } = await client.get<{ errors: { field: string }[] }>(
      `${path}?from=2026-01-02T00:00:00Z&by=2026-01-01T00:00:00Z`,
    );
    expect([status, json.errors.map(({ field }) => field)]).toEqual([400, ['by']]);
  });
});
