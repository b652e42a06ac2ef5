// Keys from outside: made, shown once, used, rotated without a gap, revoked, expired.

import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Client, createClient, type Problem } from '../support/client.ts';
import { startTestService, type TestService } from '../support/service.ts';

interface Key {
  id: string;
  client: string;
  key?: string;
  roles: { role: string; topics: string[]; subscriptions: string[] }[];
  expires_at: string | null;
  requests_per_second: number | null;
  created_at: string;
  created_by: string;
  revoked_at: string | null;
  revoked_by: string | null;
  last_used_at: string | null;
}

let service: TestService;
let client: Client;
beforeAll(async () => {
  service = await startTestService();
  client = service.client;
});
afterAll(() => service.stop());

const consumer = (...subscriptions: string[]) => ({ role: 'consumer', subscriptions });
const everything = { role: 'admin', topics: ['*'], subscriptions: ['*'] };
const make = async (json: object = {}): Promise<Key & { key: string }> => {
  const answer = await client.post<Key & { key: string }>('/v1/keys', { client: 'acme', roles: [everything], ...json });
  expect(answer.status).toBe(201);
  return answer.json;
};
const revoke = async (id: string, as: Client = client) => (await as.call('DELETE', `/v1/keys/${id}`)).status;
const withHeader = (authorization: string) =>
  client.call('GET', '/v1/topics', { key: null, headers: { authorization } });
const basic = (user: string, password: string) => `Basic ${Buffer.from(`${user}:${password}`).toString('base64')}`;
const secretOf = ({ id, key }: { id: string; key: string }) => key.slice(id.length + 1);

describe('a new key', () => {
  it('is shown whole, once', async () => {
    const name = client.freshName('s');
    const { status, headers, json } = await client.post<Key>('/v1/keys', {
      client: 'acme',
      roles: [consumer(name, 'x-*'), { role: 'publisher', topics: ['t'] }],
      expires_at: '2999-01-01T00:00:00+01:00',
    });
    expect(status).toBe(201);
    expect(headers.location).toBe(`/v1/keys/${json.id}`);
    expect(json).toEqual({
      id: expect.stringMatching(/^wk_[0-9a-f]{20}$/),
      client: 'acme',
      roles: [
        { role: 'consumer', topics: [], subscriptions: [name, 'x-*'] },
        { role: 'publisher', topics: ['t'], subscriptions: [] },
      ],
      expires_at: '2998-12-31T23:00:00.000000Z',
      requests_per_second: null,
      public_keys: null,
      created_at: expect.stringMatching(/Z$/),
      created_by: 'admin',
      revoked_at: null,
      revoked_by: null,
      last_used_at: null,
      key: expect.stringMatching(new RegExp(`^${json.id}_[A-Za-z0-9_-]{43}$`)),
    });
    const { key: _, ...rest } = json;
    expect((await client.get<Key>(`/v1/keys/${json.id}`)).json).toEqual(rest);
    const { json: page } = await client.get<{ keys: Key[] }>('/v1/keys?client=acme');
    expect(page.keys).toContainEqual(rest);
    expect(JSON.stringify(page)).not.toContain(secretOf({ id: json.id, key: json.key ?? '' }));
  });

  it('opens the transport at once, in four ways', async () => {
    const made = await make();
    const secret = secretOf(made);
    for (const header of [
      `Bearer ${made.key}`,
      basic(made.id, secret),
      basic(made.id, made.key),
      basic('anybody', made.key),
    ]) {
      expect((await withHeader(header)).status).toBe(200);
    }
  });

  it.each<[string, (made: Key & { key: string }) => string]>([
    ['its secret alone', (made) => `Bearer ${secretOf(made)}`],
    ['its id alone', (made) => `Bearer ${made.id}`],
    ['its id and no secret', (made) => basic(made.id, '')],
    ['its secret under no id', (made) => basic('', secretOf(made))],
    ['a secret of one letter less', (made) => `Bearer ${made.key.slice(0, -1)}`],
    [
      'a secret of another letter',
      (made) => `Bearer ${made.key.replace(/.(.)$/, (end) => (end[0] === 'A' ? `B${end[1]}` : `A${end[1]}`))}`,
    ],
  ])('does not open it with %s', async (_, header) => {
    const { status, json, headers } = await withHeader(header(await make()));
    expect([status, json.code]).toEqual([401, 'unauthenticated']);
    expect(headers['www-authenticate']).toBeDefined();
  });

  it('may be copied from the roles of another', async () => {
    const first = await make({ roles: [consumer('a')] });
    expect((await make({ roles: first.roles })).roles).toEqual(first.roles);
  });

  const roles = [consumer('a')];
  it.each<[string, string, unknown]>([
    ['client', 'no client', { roles }],
    ['client', 'a client that is no name', { client: 'ACME GmbH', roles }],
    ['client', "the admin key's name", { client: 'admin', roles }],
    ['client', 'the same in capitals', { client: 'ADMIN', roles }],
    ['client', "the service's name", { client: 'willcall', roles }],
    ['roles', 'no roles', { client: 'a' }],
    ['roles', 'an empty list of roles', { client: 'a', roles: [] }],
    ['roles', 'too many roles', { client: 'a', roles: Array.from({ length: 17 }, () => consumer('a')) }],
    ['roles[0].role', 'an unknown role', { client: 'a', roles: [{ role: 'root', topics: ['*'] }] }],
    ['roles[0].scope', 'an unknown field of a role', { client: 'a', roles: [{ ...consumer('a'), scope: 'all' }] }],
    ['roles[0].subscriptions', 'a role on nothing', { client: 'a', roles: [{ role: 'consumer' }] }],
    [
      'roles[0].topics',
      'a role on names it has no use for',
      { client: 'a', roles: [{ ...consumer('a'), topics: ['a'] }] },
    ],
    ['roles[0].subscriptions[1]', 'a scope with a star inside', { client: 'a', roles: [consumer('a', 'a*b')] }],
    ['roles[0].subscriptions[0]', 'a scope that is empty', { client: 'a', roles: [consumer('')] }],
    [
      'roles[0].subscriptions',
      'too many scopes',
      { client: 'a', roles: [consumer(...Array.from({ length: 101 }, (_, i) => `n${i}`))] },
    ],
    ['expires_at', 'an expiry that is past', { client: 'a', roles, expires_at: '2001-01-01T00:00:00Z' }],
    ['expires_at', 'an expiry that is no time', { client: 'a', roles, expires_at: 'tomorrow' }],
    ['requests_per_second', 'a rate below nothing', { client: 'a', roles, requests_per_second: -1 }],
    ['requests_per_second', 'a rate in text', { client: 'a', roles, requests_per_second: '5' }],
    ['requests_per_second', 'a rate beyond all', { client: 'a', roles, requests_per_second: 100_001 }],
    ['key', 'a key of its own', { client: 'a', roles, key: 'wk_mine' }],
  ])('is refused for %s: %s', async (field, _, json) => {
    const answer = await client.post('/v1/keys', json);
    expect([answer.status, answer.json.code]).toEqual([400, 'invalid_request']);
    expect(answer.json.errors?.map((error) => error.field)).toContain(field);
  });
});

describe('records', () => {
  it('name the client, whichever of its keys was used', async () => {
    const name = await client.freshSubscription();
    const keys = [await make({ client: 'acme' }), await make({ client: 'acme' })];
    for (const { key } of keys) {
      await client.publish(name, 'x');
      const own = createClient(service.url, key);
      const [message] = await own.receive(name);
      await own.post(`/v1/subscriptions/${name}/acknowledge`, { receipts: [message?.receipt] });
      own.close();
    }
    const path = `/v1/subscriptions/${name}/acknowledgments?acknowledged_by=acme`;
    const { json } = await client.get<{ acknowledgments: { acknowledged_by: string }[] }>(path);
    expect(json.acknowledgments.map((row) => row.acknowledged_by)).toEqual(['acme', 'acme']);
  });

  it('name the client as the creator of topics, subscriptions and keys', async () => {
    const own = createClient(service.url, (await make({ client: 'platform' })).key);
    const name = own.freshName('made');
    await own.call('PUT', `/v1/subscriptions/${name}`);
    const { json } = await own.post<Key>('/v1/keys', { client: 'acme', roles: [consumer(name)] });
    await revoke(json.id, own);
    for (const path of [`/v1/topics/${name}`, `/v1/subscriptions/${name}`, `/v1/keys/${json.id}`]) {
      expect((await client.get<Key>(path)).json.created_by).toBe('platform');
    }
    expect((await client.get<Key>(`/v1/keys/${json.id}`)).json.revoked_by).toBe('platform');
    own.close();
  });
});

describe('a revoked key', () => {
  it('is refused from the next call on, and stays in the list', async () => {
    const { id, key } = await make();
    expect((await withHeader(`Bearer ${key}`)).status).toBe(200);
    expect(await revoke(id)).toBe(204);
    const { status, json, headers } = await withHeader(`Bearer ${key}`);
    expect([status, json.code]).toEqual([401, 'unauthenticated']);
    expect(headers['www-authenticate']).toBeDefined();
    expect((await client.get<Key>(`/v1/keys/${id}`)).json).toMatchObject({
      revoked_at: expect.stringMatching(/Z$/),
      revoked_by: 'admin',
    });
  });

  it('is answered as one that never was, and as one that has expired', async () => {
    const [revoked, fresh, expiring] = [await make(), await make(), await make({ expires_at: soon(700) })];
    await revoke(revoked.id);
    await expect.poll(async () => (await withHeader(`Bearer ${expiring.key}`)).status, { interval: 50 }).toBe(401);
    const answers = await Promise.all([
      withHeader(`Bearer ${revoked.key}`),
      withHeader(`Bearer ${expiring.key}`),
      withHeader(`Bearer ${fresh.id}_${secretOf(revoked)}`),
      withHeader(`Bearer wk_00000000000000000000_${secretOf(fresh)}`),
    ]);
    const said = answers.map(({ json }) => JSON.stringify({ ...json, request_id: null }));
    expect(new Set(said).size).toBe(1);
  });

  it('may be revoked again, which changes nothing; an unknown one may not', async () => {
    const { id } = await make();
    await revoke(id);
    const before = (await client.get<Key>(`/v1/keys/${id}`)).json;
    expect(await revoke(id)).toBe(204);
    expect((await client.get<Key>(`/v1/keys/${id}`)).json).toEqual(before);
    for (const other of ['admin', 'wk_00000000000000000000', '%00', `${id}x`]) {
      for (const method of ['DELETE', 'GET']) {
        const { status, json } = await client.call<Problem>(method, `/v1/keys/${other}`);
        expect([status, json.code]).toEqual([404, 'key_not_found']);
      }
    }
  });

  it('has its parked receive answered, empty', async () => {
    const name = await client.freshSubscription();
    const { id, key } = await make({ roles: [consumer(name)] });
    const own = createClient(service.url, key);
    await client.publish(name, 'to sign for');
    const acknowledge = (await own.receive(name)).map(({ receipt }) => receipt);
    const path = `/v1/subscriptions/${name}`;
    const parked = own.post<{ messages: object[] }>(`${path}/receive`, { wait_seconds: 30, acknowledge });
    // What it signs for along the way shows that it was let in.
    const ledger = async () =>
      (await client.get<{ acknowledgments: object[] }>(`${path}/acknowledgments`)).json.acknowledgments;
    await expect.poll(ledger, { interval: 5 }).toHaveLength(1);
    const started = performance.now();
    await revoke(id);
    expect((await parked).json.messages).toEqual([]);
    // Long before its time was over.
    expect(performance.now() - started).toBeLessThan(25_000);
    await client.publish(name, 'for somebody else');
    // The revoked one may have been looking, and gives the message back.
    expect(await client.receive(name, { wait_seconds: 20 })).toHaveLength(1);
    own.close();
  });

  it('may be the one that revokes', async () => {
    const { id, key } = await make();
    const own = createClient(service.url, key);
    expect(await revoke(id, own)).toBe(204);
    expect(await revoke(id, own)).toBe(401);
    own.close();
  });

  const soon = (ms: number) => new Date(Date.now() + ms).toISOString();
});

describe('rotating keys', () => {
  it('costs the client not one call', async () => {
    const name = await client.freshSubscription();
    const old = await make({ roles: [consumer(name)] });
    let current = old.key;
    let running = true;
    const statuses: number[] = [];
    const using: string[] = [];
    const work = async (worker: number) => {
      while (running) {
        using[worker] = current;
        const options = { json: { wait_seconds: 0 }, key: current };
        statuses.push((await client.call('POST', `/v1/subscriptions/${name}/receive`, options)).status);
      }
    };
    const workers = [work(0), work(1)];
    const fresh = await make({ roles: old.roles });
    current = fresh.key;
    await expect.poll(() => using, { interval: 1 }).toEqual([fresh.key, fresh.key]);
    expect(await revoke(old.id)).toBe(204);
    const revoked = statuses.length;
    await expect.poll(() => statuses.length, { interval: 1 }).toBeGreaterThan(revoked + 10);
    running = false;
    await Promise.all(workers);
    expect(new Set(statuses)).toEqual(new Set([200]));
    expect((await client.call('GET', `/v1/subscriptions/${name}`, { key: old.key })).status).toBe(401);
  });
});

describe('pages of keys', () => {
  it('follow one another in the order of making', async () => {
    const made: string[] = [];
    for (let i = 0; i < 3; i += 1) made.push((await make({ client: 'pages' })).id);
    const seen: string[] = [];
    let next: string | null = '';
    while (next !== null) {
      const after: string = next === '' ? '' : `&after=${next}`;
      const answer = await client.get<{ keys: Key[]; next: string | null }>(`/v1/keys?client=pages&limit=1${after}`);
      expect(answer.status).toBe(200);
      seen.push(...answer.json.keys.map(({ id }) => id));
      next = answer.json.next;
    }
    expect(seen).toEqual([...made].sort());
  });

  it.each(['limit=0', 'limit=1001', 'client=a%20b', 'after=', 'secret=x'])('refuse ?%s', async (query) => {
    expect((await client.get(`/v1/keys?${query}`)).status).toBe(400);
  });

  it('say when a key was last used', async () => {
    const { id, key } = await make();
    await withHeader(`Bearer ${key}`);
    const used = async () => (await client.get<Key>(`/v1/keys/${id}`)).json.last_used_at;
    await expect.poll(used).not.toBeNull();
    expect(Math.abs(Date.parse((await used()) ?? '') - Date.now())).toBeLessThan(60_000);
  });
});
