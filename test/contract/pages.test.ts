import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Client } from '../support/client.ts';
import { startTestService, type TestService } from '../support/service.ts';

interface Acknowledgment {
  ack_no: number;
  message_id: string;
  sequence: number;
  acknowledged_at: string;
}
interface Page {
  acknowledgments: Acknowledgment[];
  dead_letters: { dead_letter_no: number; sequence: number; reason: string }[];
  topics: { name: string }[];
  subscriptions: { name: string }[];
  next: string | null;
  has_more: boolean;
}

let service: TestService;
let client: Client;
beforeAll(async () => {
  service = await startTestService();
  client = service.client;
});
afterAll(() => service.stop());

const get = async (path: string): Promise<Page> => {
  const { status, json } = await client.get<Page>(path);
  expect(status).toBe(200);
  return json;
};

/** Follows `next` to the end; as many pages as there are. */
const follow = async (path: string): Promise<Page[]> => {
  const pages: Page[] = [];
  let next: Page['next'] = null;
  do {
    const page: Page = await get(next === null ? path : `${path}&after=${encodeURIComponent(next)}`);
    pages.push(page);
    next = page.next;
  } while (pages.at(-1)?.has_more);
  return pages;
};

const acknowledged = async (count: number): Promise<string> => {
  const name = await client.freshSubscription();
  await client.publish(name, ...Array.from({ length: count }, (_, index) => `m${index}`));
  const batch = await client.receive(name, { max_messages: count });
  await client.post(`/v1/subscriptions/${name}/acknowledge`, { receipts: batch.map(({ receipt }) => receipt) });
  return name;
};

describe('pages of topics and subscriptions', () => {
  it('are in order of name, by code point, and follow one another without gap or overlap', async () => {
    const names = ['b', 'B', 'a.1', 'a-1', '_'.padStart(2, 'a'), '9', 'a1'];
    for (const name of names) await client.call('PUT', `/v1/subscriptions/${name}`);
    const sorted = [...names].sort();
    for (const kind of ['topics', 'subscriptions'] as const) {
      const pages = await follow(`/v1/${kind}?limit=3`);
      expect(pages.flatMap((page) => page[kind].map(({ name }) => name))).toEqual(sorted);
      expect(pages.map((page) => page[kind].length)).toEqual([3, 3, 1]);
      expect(pages.map(({ next }) => next)).toEqual([sorted[2], sorted[5], null]);
    }
  });

  it('begin after any name, also one that does not exist', async () => {
    const { topics } = await get('/v1/topics?after=a_z&limit=1');
    expect(topics.map(({ name }) => name > 'a_z')).toEqual([true]);
  });

  it('are empty past the last name', async () => {
    expect(await get('/v1/topics?after=zzzz')).toEqual({ topics: [], next: null, has_more: false });
  });

  it('do not end in an empty one', async () => {
    const all = await get('/v1/topics');
    expect(all.next).toBeNull();
    expect((await get(`/v1/topics?limit=${all.topics.length}`)).next).toBeNull();
  });
});

describe('pages of the ledger', () => {
  it('are in order of ack_no and hold whole rows', async () => {
    const name = await acknowledged(5);
    const pages = await follow(`/v1/subscriptions/${name}/acknowledgments?limit=2`);
    const rows = pages.flatMap(({ acknowledgments }) => acknowledgments);
    expect(rows.map(({ ack_no }) => ack_no)).toEqual([1, 2, 3, 4, 5]);
    expect(pages.map(({ has_more }) => has_more)).toEqual([true, true, false]);
    expect(rows[0]).toEqual({
      topic: name,
      topic_id: expect.stringMatching(/^top_[0-9a-f]{32}$/),
      subscription: name,
      subscription_id: expect.stringMatching(/^sub_[0-9a-f]{32}$/),
      ack_no: 1,
      message_id: expect.any(String),
      sequence: 1,
      generation: expect.any(Number),
      revision: expect.any(Number),
      body_sha256: expect.stringMatching(/^[0-9a-f]{64}$/),
      body_bytes: 2,
      published_at: expect.stringMatching(/Z$/),
      delivery_no: expect.any(Number),
      delivered_at: expect.stringMatching(/Z$/),
      attempt: 1,
      acknowledged_at: expect.stringMatching(/Z$/),
      acknowledged_by: 'admin',
      key_id: null,
      published_by: 'admin',
      reference: null,
      reference_salt: null,
      reference_digest: null,
      late: false,
    });
  });

  it('can be narrowed to a message, a principal and a span of time', async () => {
    const name = await acknowledged(3);
    const path = `/v1/subscriptions/${name}/acknowledgments`;
    const [first, second] = (await get(path)).acknowledgments;
    const numbers = async (query: string) => (await get(`${path}?${query}`)).acknowledgments.map((row) => row.ack_no);
    expect(await numbers(`message_id=${second?.message_id}`)).toEqual([2]);
    const [other] = await client.publish(await client.freshSubscription(), 'x');
    expect(await numbers(`message_id=${other?.id}`)).toEqual([]);
    expect(await numbers('acknowledged_by=admin')).toEqual([1, 2, 3]);
    expect(await numbers('acknowledged_by=J%C3%B6rg+M')).toEqual([]);
    const at = Date.parse(first?.acknowledged_at ?? '');
    const later = new Date(at + 1000).toISOString();
    expect(await numbers(`from=${new Date(at).toISOString()}&until=${later}`)).toEqual([1, 2, 3]);
    expect(await numbers(`from=${later}`)).toEqual([]);
    expect(await numbers(`until=${new Date(at - 1000).toISOString()}`)).toEqual([]);
    expect(await numbers(`from=2001-01-01T00:00:00+02:00&until=${later.replace('Z', '%2B00:00')}`)).toEqual([1, 2, 3]);
  });

  it('show times with microseconds, by which they can be narrowed exactly', async () => {
    const name = await acknowledged(1);
    const path = `/v1/subscriptions/${name}/acknowledgments`;
    const [row] = (await get(path)).acknowledgments;
    const at = row?.acknowledged_at ?? '';
    expect(at).toMatch(/\.\d{6}Z$/);
    const next = `${at.slice(0, -7)}${String(Number(at.slice(-7, -1)) + 1).padStart(6, '0')}Z`;
    const count = async (query: string) => (await get(`${path}?${query}`)).acknowledgments.length;
    expect(await count(`from=${at}`)).toBe(1);
    expect(await count(`until=${at}`)).toBe(0);
    expect(await count(`until=${next}`)).toBe(1);
    expect(await count(`from=${next}`)).toBe(0);
  });

  it('stay readable when the subscription has been deleted', async () => {
    const name = await acknowledged(1);
    await client.call('DELETE', `/v1/subscriptions/${name}`);
    expect((await get(`/v1/subscriptions/${name}/acknowledgments`)).acknowledgments).toHaveLength(1);
  });
});

describe('pages of dead letters', () => {
  it('are in order of their number, and can be narrowed to a reason', async () => {
    const name = await client.freshSubscription({ max_attempts: 1 });
    await client.publish(name, 'a', 'b', 'c');
    const [first, second, third] = (await client.receive(name)).map(({ receipt }) => receipt);
    const path = `/v1/subscriptions/${name}`;
    await client.post(`${path}/reject`, { receipts: [third] });
    await client.post(`${path}/release`, { receipts: [{ receipt: first, error: { code: 'E' } }] });
    await client.post(`${path}/reject`, { receipts: [second] });
    const pages = await follow(`${path}/dead-letters?limit=2`);
    const letters = pages.flatMap((page) => page.dead_letters);
    expect(letters.map(({ sequence }) => sequence)).toEqual([3, 1, 2]);
    expect(letters.map(({ dead_letter_no }) => dead_letter_no)).toEqual([1, 2, 3]);
    expect(pages.map(({ has_more }) => has_more)).toEqual([true, false]);
    const failed = await get(`${path}/dead-letters?reason=max_attempts`);
    expect(failed.dead_letters.map(({ sequence }) => sequence)).toEqual([1]);
    expect((await get(`${path}/dead-letters?reason=expired`)).dead_letters).toEqual([]);
  });
});
