// Ledgers that outlive their subscriptions: ids, cursors that never mean another ledger, and what a
// consumer reads of a shared one.

import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Client } from '../support/client.ts';
import { startTestService, type TestService } from '../support/service.ts';

interface Row {
  ack_no: number;
  subscription: string;
  subscription_id: string;
  topic: string;
  topic_id: string;
  acknowledged_by: string | null;
  key_id: string | null;
  published_by: string | null;
  reference: string | null;
  reference_salt: string | null;
}
interface Page {
  subscription_id: string;
  acknowledgments: Row[];
  dead_letters: { dead_letter_no: number; subscription_id: string; history: { ended_by: string | null }[] }[];
  next: string;
  has_more: boolean;
}

let service: TestService;
let client: Client;
beforeAll(async () => {
  service = await startTestService();
  client = service.client;
});
afterAll(() => service.stop());

const ledgerPath = (name: string) => `/v1/subscriptions/${name}/acknowledgments`;
const get = async (path: string, key?: string): Promise<Page> => {
  const { status, json } = await client.call<Page>('GET', path, key === undefined ? {} : { key });
  expect([path, status]).toEqual([path, 200]);
  return json;
};
const problemOf = async (path: string, key?: string) => {
  const { status, json } = await client.call<{ code: string; detail: string }>(
    'GET',
    path,
    key === undefined ? {} : { key },
  );
  return { status, code: json.code, detail: json.detail };
};
const idOf = async (name: string) => (await client.get<{ id: string }>(`/v1/subscriptions/${name}`)).json.id;

/** Publishes and acknowledges so many. */
const sign = async (name: string, count: number, key?: string, reference?: string): Promise<void> => {
  await client.publish(name, ...Array.from({ length: count }, (_, index) => `m${index}`));
  const batch = await client.receive(name, { max_messages: count });
  const receipts = batch.map(({ receipt }) => (reference === undefined ? receipt : { receipt, reference }));
  await client.call('POST', `/v1/subscriptions/${name}/acknowledge`, {
    json: { receipts },
    ...(key !== undefined && { key }),
  });
};
const recreate = async (name: string): Promise<void> => {
  await client.call('DELETE', `/v1/subscriptions/${name}`);
  await client.call('PUT', `/v1/subscriptions/${name}`, { json: { topic: name } });
};
const makeKey = async (who: string, roles: object[]): Promise<string> =>
  (await client.post<{ key: string }>('/v1/keys', { client: who, roles })).json.key;

describe('the ledger of a subscription that was deleted and created again', () => {
  it('is not read on by a cursor of the one before, which is readable by its id', async () => {
    const name = await client.freshSubscription();
    await sign(name, 3);
    const before = await get(ledgerPath(name));
    await recreate(name);
    await sign(name, 5);
    const refused = await problemOf(`${ledgerPath(name)}?after=${before.next}`);
    expect(refused).toMatchObject({ status: 410, code: 'ledger_replaced' });
    expect(refused.detail).toContain(before.subscription_id);
    const old = `/v1/ledgers/${before.subscription_id}/acknowledgments`;
    expect((await get(`${old}?after=${before.next}`)).acknowledgments).toEqual([]);
    expect((await get(old)).acknowledgments).toEqual(before.acknowledgments);
    const after = await get(ledgerPath(name));
    expect(after.acknowledgments.map(({ ack_no }) => ack_no)).toEqual([1, 2, 3, 4, 5]);
    expect(after.subscription_id).toBe(await idOf(name));
    expect(after.subscription_id).not.toBe(before.subscription_id);
    for (const row of after.acknowledgments) expect(row.subscription_id).toBe(after.subscription_id);
  });

  it('takes a plain number while it is the only one, and then refuses it', async () => {
    const name = await client.freshSubscription();
    await sign(name, 4);
    const numbers = (page: Page) => page.acknowledgments.map(({ ack_no }) => ack_no);
    expect(numbers(await get(`${ledgerPath(name)}?after=3`))).toEqual([4]);
    const id = await idOf(name);
    await recreate(name);
    expect(await problemOf(`${ledgerPath(name)}?after=3`)).toMatchObject({ status: 410, code: 'ledger_replaced' });
    expect(numbers(await get(`/v1/ledgers/${id}/acknowledgments?after=3`))).toEqual([4]);
    expect(numbers(await get(`${ledgerPath(name)}?after=0`))).toEqual([]);
  });

  it('refuses a cursor of another list, and what is none', async () => {
    const [one, other] = [await client.freshSubscription(), await client.freshSubscription()];
    const { next } = await get(ledgerPath(other));
    for (const after of [next, 'x', '-1', `${next}A`, '99999999999999999']) {
      expect(await problemOf(`${ledgerPath(one)}?after=${after}`)).toMatchObject({
        status: 400,
        code: 'invalid_request',
      });
    }
    expect(await problemOf(`/v1/ledgers/${await idOf(one)}/acknowledgments?after=${next}`)).toMatchObject({
      status: 400,
    });
  });

  it('has a cursor at its end, from which what comes later is read', async () => {
    const name = await client.freshSubscription();
    const empty = await get(ledgerPath(name));
    expect(empty).toMatchObject({ acknowledgments: [], has_more: false });
    await sign(name, 3);
    const first = await get(`${ledgerPath(name)}?after=${empty.next}&limit=2`);
    expect(first).toMatchObject({ acknowledgments: [{ ack_no: 1 }, { ack_no: 2 }], has_more: true });
    const last = await get(`${ledgerPath(name)}?after=${first.next}`);
    expect(last).toMatchObject({ acknowledgments: [{ ack_no: 3 }], has_more: false });
    await sign(name, 1);
    expect((await get(`${ledgerPath(name)}?after=${last.next}`)).acknowledgments).toMatchObject([{ ack_no: 4 }]);
  });

  it('is listed with who deleted it, and has stats and dead letters by its id', async () => {
    const name = await client.freshSubscription();
    await client.publish(name, 'a', 'b');
    const [first] = await client.receive(name, { max_messages: 1 });
    await client.post(`/v1/subscriptions/${name}/reject`, { receipts: [first?.receipt] });
    const id = await idOf(name);
    await recreate(name);
    await recreate(name);
    const listed: { id: string; name: string; deleted_by: string; deleted_at: string }[] = [];
    for (let path: string | null = '/v1/subscriptions?deleted=true&limit=1'; path !== null; ) {
      const answer: { json: { subscriptions: typeof listed; next: string | null } } = await client.get(path);
      listed.push(...answer.json.subscriptions);
      const { next } = answer.json;
      path = next === null ? null : `/v1/subscriptions?deleted=true&limit=1&after=${next}`;
    }
    const mine = listed.filter((each) => each.name === name);
    expect(mine.map(({ deleted_by }) => deleted_by)).toEqual(['admin', 'admin']);
    expect(mine[0]).toMatchObject({ id, deleted_at: expect.stringMatching(/\.\d{6}Z$/) });
    const { json: recorded } = await client.get(`/v1/ledgers/${id}`);
    expect(recorded).toMatchObject({ id, name, deleted_by: 'admin', stats: { backlog: 1, dead_letters: 1 } });
    expect((await client.get(`/v1/ledgers/${id}/stats`)).json).toMatchObject({ backlog: 1, dead_letters: 1 });
    expect((await get(`/v1/ledgers/${id}/dead-letters`)).dead_letters).toMatchObject([
      { dead_letter_no: 1, subscription_id: id },
    ]);
    expect((await get(`/v1/subscriptions/${name}/dead-letters`)).dead_letters).toEqual([]);
  });

  it('is found by no other id', async () => {
    for (const id of [`sub_${'0'.repeat(32)}`, 'nobody']) {
      expect(await problemOf(`/v1/ledgers/${id}`)).toMatchObject({ status: 404, code: 'ledger_not_found' });
    }
  });
});

describe('dead letters', () => {
  it('are numbered per subscription', async () => {
    for (const name of [await client.freshSubscription(), await client.freshSubscription()]) {
      await client.publish(name, 'a', 'b', 'c');
      const batch = await client.receive(name, { max_messages: 3 });
      await client.post(`/v1/subscriptions/${name}/reject`, { receipts: [batch[0]?.receipt] });
      await client.post(`/v1/subscriptions/${name}/reject`, { receipts: [batch[1]?.receipt, batch[2]?.receipt] });
      const { dead_letters: letters } = await get(`/v1/subscriptions/${name}/dead-letters`);
      expect(letters.map(({ dead_letter_no }) => dead_letter_no)).toEqual([1, 2, 3]);
    }
  });
});

describe('a new name that looks like an id', () => {
  it.each(['sub_x', 'top_x'])('such as %s is refused', async (name) => {
    for (const kind of ['topics', 'subscriptions']) {
      const { status, json } = await client.call<{ errors: { field: string }[] }>('PUT', `/v1/${kind}/${name}`);
      expect(status).toBe(400);
      expect(json.errors.map(({ field }) => field)).toEqual([kind.slice(0, -1)]);
    }
  });
});

describe('a consumer', () => {
  it('reads in full what its own client signed, and of others that they did', async () => {
    const name = await client.freshSubscription();
    const [acme, other] = [
      await makeKey('acme', [{ role: 'consumer', subscriptions: [name] }]),
      await makeKey('nordwind', [{ role: 'consumer', subscriptions: [name] }]),
    ];
    await sign(name, 1, acme, 'MINE');
    await sign(name, 1, other, 'THEIRS');
    const id = await idOf(name);
    for (const path of [ledgerPath(name), `/v1/ledgers/${id}/acknowledgments`]) {
      const page = await get(path, acme);
      expect(JSON.stringify(page)).not.toMatch(/nordwind|THEIRS/);
      const hidden = { acknowledged_by: null, key_id: null, published_by: null, reference: null, reference_salt: null };
      expect(page.acknowledgments).toMatchObject([
        {
          ack_no: 1,
          acknowledged_by: 'acme',
          published_by: 'admin',
          reference: 'MINE',
          key_id: expect.stringMatching(/^wk_/),
          reference_salt: expect.stringMatching(/^[0-9a-f]{32}$/),
        },
        { ack_no: 2, ...hidden },
      ]);
      expect((await get(`${path}?reference=THEIRS`, acme)).acknowledgments).toEqual([]);
      expect((await get(`${path}?reference=MINE`, acme)).acknowledgments).toHaveLength(1);
      expect((await get(`${path}?acknowledged_by=acme`, acme)).acknowledgments).toHaveLength(1);
      expect(await problemOf(`${path}?acknowledged_by=nordwind`, acme)).toMatchObject({ status: 403 });
    }
    expect((await get(`${ledgerPath(name)}?reference=THEIRS`)).acknowledgments).toHaveLength(1);
  });

  it('reads its dead letters without the names of others', async () => {
    const name = await client.freshSubscription({ max_attempts: 1 });
    const acme = await makeKey('acme', [{ role: 'consumer', subscriptions: [name] }]);
    await client.publish(name, 'a', 'b');
    const [a, b] = await client.receive(name, { max_messages: 2 });
    await client.call('POST', `/v1/subscriptions/${name}/reject`, { json: { receipts: [a?.receipt] }, key: acme });
    await client.post(`/v1/subscriptions/${name}/reject`, {
      receipts: [{ receipt: b?.receipt, error: { code: 'X' } }],
    });
    const { dead_letters: letters } = await get(`/v1/subscriptions/${name}/dead-letters`, acme);
    expect(letters.map(({ history }) => history.map(({ ended_by }) => ended_by))).toEqual([['acme'], [null]]);
  });

  it('reads no ledger of other names, by name or by id, in the same words', async () => {
    const name = await client.freshSubscription();
    const key = await makeKey('acme', [{ role: 'consumer', subscriptions: ['elsewhere'] }]);
    const answers = [
      await problemOf(ledgerPath(name), key),
      await problemOf(`/v1/ledgers/${await idOf(name)}/acknowledgments`, key),
      await problemOf(`/v1/ledgers/sub_${'0'.repeat(32)}/acknowledgments`, key),
      await problemOf(`/v1/ledgers/${await idOf(name)}`, key),
      await problemOf('/v1/subscriptions?deleted=true', key),
    ];
    expect(new Set(answers.map(({ status, detail }) => `${status} ${detail}`)).size).toBe(1);
    expect(answers[0]?.status).toBe(403);
  });
});

describe('a filter that makes no sense', () => {
  it.each([
    ['message_id=xx', 'message_id'],
    ['from=2026-01-02T00:00:00Z&until=2026-01-01T00:00:00Z', 'until'],
    ['body_sha256=AB', 'body_sha256'],
    ['from=yesterday', 'from'],
  ])('%s is refused', async (query, field) => {
    const name = await client.freshSubscription();
    const { status, json } = await client.get<{ errors: { field: string }[] }>(`${ledgerPath(name)}?${query}`);
    expect([status, json.errors.map((error) => error.field)]).toEqual([400, [field]]);
  });
});
