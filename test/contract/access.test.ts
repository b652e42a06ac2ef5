// Every call with every role: what the table of docs/api says, on the role's names; on others 403,
// in the same words whether or not there is something of that name.

import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Answer, CallOptions, Client, Problem } from '../support/client.ts';
import { startTestService, type TestService } from '../support/service.ts';

interface Call {
  readonly what: string;
  /** For a topic and subscription of the name. */
  readonly make: (name: string) => [method: string, path: string, options?: CallOptions];
  readonly status: number;
  readonly roles: string;
  /** What comes first, done with the admin key; what it returns goes along as receipts. */
  readonly prepare?: (name: string) => Promise<unknown>;
}

const roles = ['publisher', 'consumer', 'operator', 'auditor', 'admin'];
let service: TestService;
let client: Client;
const keys = new Map<string, string>();

beforeAll(async () => {
  service = await startTestService();
  client = service.client;
  for (const role of roles) {
    const topics = role === 'consumer' ? [] : ['in-*', 'exact'];
    const subscriptions = role === 'publisher' ? [] : ['in-*', 'exact'];
    keys.set(role, await makeKey({ client: `the-${role}`, roles: [{ role, topics, subscriptions }] }));
  }
});
afterAll(() => service.stop());

const makeKey = async (json: object): Promise<string> => {
  const { status, json: made } = await client.post<{ key: string }>('/v1/keys', json);
  expect(status).toBe(201);
  return made.key;
};
const callAs = <Body = Problem>(key: string | undefined, [method, path, options]: ReturnType<Call['make']>) =>
  client.call<Body>(method, path, { ...options, key: key ?? null });

const onTopic = (name: string) => `/v1/topics/${name}`;
const onSubscription = (name: string) => `/v1/subscriptions/${name}`;
const lease = async (name: string) => {
  await client.publish(name, 'x');
  receipts.set(
    name,
    (await client.receive(name)).map(({ receipt }) => receipt),
  );
};
const receipts = new Map<string, string[]>();
const settle = (verb: string): Omit<Call, 'what'> => ({
  make: (name) => ['POST', `${onSubscription(name)}/${verb}`, { json: { receipts: receipts.get(name) ?? ['none'] } }],
  prepare: lease,
  status: 200,
  roles: 'consumer admin',
});
const readers = 'operator auditor admin';

const calls: Call[] = [
  { what: 'create a topic', make: (name) => ['PUT', onTopic(name)], status: 200, roles: 'admin' },
  { what: 'get a topic', make: (name) => ['GET', onTopic(name)], status: 200, roles: readers },
  {
    what: 'change a topic',
    make: (name) => ['PATCH', onTopic(name), { json: { retention_seconds: 60 } }],
    status: 200,
    roles: 'admin',
  },
  { what: 'delete a topic', make: (name) => ['DELETE', onTopic(name)], status: 204, roles: 'admin' },
  {
    what: 'publish',
    make: (name) => ['POST', `${onTopic(name)}/messages`, { json: { messages: [{ body: 'x' }] } }],
    status: 201,
    roles: 'publisher admin',
  },
  {
    what: 'publish raw',
    make: (name) => ['POST', `${onTopic(name)}/messages/raw`, { bytes: Buffer.from('x') }],
    status: 201,
    roles: 'publisher admin',
  },
  { what: 'create a subscription', make: (name) => ['PUT', onSubscription(name)], status: 200, roles: 'admin' },
  {
    what: 'get a subscription',
    make: (name) => ['GET', onSubscription(name)],
    status: 200,
    roles: `consumer ${readers}`,
  },
  {
    what: 'change a subscription',
    make: (name) => ['PATCH', onSubscription(name), { json: { max_attempts: 3 } }],
    status: 200,
    roles: 'operator admin',
  },
  { what: 'delete a subscription', make: (name) => ['DELETE', onSubscription(name)], status: 204, roles: 'admin' },
  {
    what: 'receive',
    make: (name) => ['POST', `${onSubscription(name)}/receive`, { json: { wait_seconds: 0 } }],
    status: 200,
    roles: 'consumer admin',
  },
  {
    what: 'receive raw',
    make: (name) => ['POST', `${onSubscription(name)}/receive/raw`, { json: { wait_seconds: 0 } }],
    status: 204,
    roles: 'consumer admin',
  },
  { what: 'acknowledge', ...settle('acknowledge') },
  { what: 'release', ...settle('release') },
  { what: 'extend', ...settle('extend') },
  { what: 'reject', ...settle('reject') },
  {
    what: 'read the ledger',
    make: (name) => ['GET', `${onSubscription(name)}/acknowledgments`],
    status: 200,
    roles: `consumer ${readers}`,
  },
  {
    what: 'read the dead letters',
    make: (name) => ['GET', `${onSubscription(name)}/dead-letters`],
    status: 200,
    roles: `consumer ${readers}`,
  },
];

/** What the refusal says, but for the name of the request. */
const expectForbidden = (answer: Answer<Problem>): string => {
  expect(answer.status).toBe(403);
  expect(answer.json).toMatchObject({ code: 'forbidden', status: 403 });
  expect(answer.headers['content-type']).toBe('application/problem+json; charset=utf-8');
  expect(answer.headers['www-authenticate']).toBeUndefined();
  return JSON.stringify({ ...answer.json, request_id: null });
};

describe.each(calls)('to $what', ({ make, status, roles: allowed, prepare }) => {
  it.each(roles)('as %s, on its names', async (role) => {
    const name = client.freshName('in');
    await client.call('PUT', onSubscription(name));
    await prepare?.(name);
    const answer = await callAs(keys.get(role), make(name));
    if (allowed.split(' ').includes(role))
      expect([answer.status, answer.bytes.toString()]).toEqual([status, expect.anything()]);
    else expectForbidden(answer);
  });

  it.each(roles)('as %s, on other names, does not tell what exists', async (role) => {
    const name = client.freshName('out');
    await client.call('PUT', onSubscription(name));
    const texts = new Set<string>();
    for (const other of [name, 'out-nobody', 'exact2', 'Exact', 'i', 'in', 'a-in-1']) {
      texts.add(expectForbidden(await callAs(keys.get(role), make(other))));
    }
    expect(texts.size).toBe(1);
    expect([...texts].join()).not.toContain(name);
  });
});

describe('a name that is granted as a whole', () => {
  it.each(roles)('is open to %s like one that begins so', async (role) => {
    await client.call('PUT', onSubscription('exact'));
    for (const { make, roles: allowed, what } of calls.filter(({ what }) => /^(get|publish|receive|read)/.test(what))) {
      const { status } = await callAs(keys.get(role), make('exact'));
      expect([what, status < 300 ? 'done' : status]).toEqual([what, allowed.split(' ').includes(role) ? 'done' : 403]);
    }
  });
});

describe('to make, see and revoke keys', () => {
  const path = async () => {
    const { json } = await client.post<{ id: string }>('/v1/keys', {
      client: 'acme',
      roles: [{ role: 'publisher', topics: ['a'] }],
    });
    return `/v1/keys/${json.id}`;
  };
  const everything = { topics: ['*'], subscriptions: ['*'] };

  it.each([
    ...roles.map((role) => ({ role, topics: ['*'], subscriptions: ['*'] })),
    { role: 'admin', topics: ['*'], subscriptions: ['in-*'] },
    { role: 'admin', topics: ['*'] },
    { role: 'admin', subscriptions: ['*'] },
  ])('takes an admin of everything, not %j', async (grant) => {
    const { topics, subscriptions } = { topics: [], subscriptions: [], ...grant };
    const given = {
      ...grant,
      ...(grant.role === 'consumer' && { topics: [] }),
      ...(grant.role === 'publisher' && { subscriptions: [] }),
    };
    const key = await makeKey({ client: 'some', roles: [given] });
    const allowed = grant.role === 'admin' && JSON.stringify({ topics, subscriptions }) === JSON.stringify(everything);
    const known = await path();
    const answers = [
      await callAs(key, ['GET', '/v1/keys']),
      await callAs(key, ['GET', known]),
      await callAs(key, ['DELETE', known]),
      await callAs(key, ['POST', '/v1/keys', { json: { client: 'x', roles: [{ role: 'admin', ...everything }] } }]),
    ];
    if (allowed) {
      expect(answers.map(({ status }) => status)).toEqual([200, 200, 204, 201]);
      return;
    }
    const texts = new Set(answers.map(expectForbidden));
    texts.add(expectForbidden(await callAs(key, ['GET', '/v1/keys/wk_00000000000000000000'])));
    texts.add(expectForbidden(await callAs(key, ['DELETE', '/v1/keys/nothing'])));
    expect(texts.size).toBe(1);
  });
});

describe('a subscription to a topic', () => {
  it('is made by an admin of both', async () => {
    const [inside, outside] = [client.freshName('in'), client.freshName('out')];
    for (const name of [inside, outside]) await client.call('PUT', onTopic(name));
    const put = (name: string, topic: string) =>
      callAs(keys.get('admin'), ['PUT', onSubscription(name), { json: { topic } }]);
    expect((await put(client.freshName('in'), inside)).status).toBe(201);
    const refused = [
      await put(client.freshName('in'), outside),
      await put(client.freshName('in'), 'out-nobody'),
      await put(client.freshName('out'), inside),
    ];
    expect(new Set(refused.map(expectForbidden)).size).toBe(1);
  });

  it('of its own name is made by an admin of that topic', async () => {
    const roles = [{ role: 'admin', subscriptions: ['*'], topics: ['in-*'] }];
    const key = await makeKey({ client: 'half', roles });
    expectForbidden(await callAs(key, ['PUT', onSubscription(client.freshName('plain'))]));
    expect((await callAs(key, ['PUT', onSubscription(client.freshName('in'))])).status).toBe(201);
  });
});

describe('a list', () => {
  interface Page {
    topics?: { name: string }[];
    subscriptions?: { name: string }[];
    next: string | null;
  }
  const names = ['la-1', 'la-2', 'lb', 'lb-1', 'lc', 'ld-1', 'ld-2'];
  const listAs = async (key: string, kind: 'topics' | 'subscriptions', limit: number) => {
    const seen: string[] = [];
    let next: string | null | undefined;
    do {
      const after: string = next ? `&after=${next}` : '';
      const { status, json } = await callAs<Page>(key, ['GET', `/v1/${kind}?limit=${limit}${after}`]);
      expect(status).toBe(200);
      const page = (json[kind] ?? []).map(({ name }) => name);
      seen.push(...page);
      if (json.next !== null) expect(json.next).toBe(page.at(-1));
      next = json.next;
    } while (next !== null);
    return seen;
  };
  beforeAll(async () => {
    for (const name of names) await client.call('PUT', onSubscription(name));
  });

  it.each(['topics', 'subscriptions'] as const)('of %s shows what the key may see, page by page', async (kind) => {
    const scopes = ['lb', 'ld-*', 'la-2', 'nobody', 'no*'];
    const role = kind === 'topics' ? 'auditor' : 'consumer';
    const key = await makeKey({ client: 'lister', roles: [{ role, [kind]: scopes }] });
    for (const limit of [1, 2, 100]) expect(await listAs(key, kind, limit)).toEqual(['la-2', 'lb', 'ld-1', 'ld-2']);
    const all = await makeKey({ client: 'lister', roles: [{ role, [kind]: ['l*', '*'] }] });
    expect(await listAs(all, kind, 3)).toEqual(expect.arrayContaining(names));
  });

  it('is empty where there is nothing that the key may see', async () => {
    const key = await makeKey({ client: 'lister', roles: [{ role: 'auditor', topics: ['nobody'] }] });
    expect(await listAs(key, 'topics', 10)).toEqual([]);
  });

  it('is closed to a key that could never see anything in it', async () => {
    expectForbidden(await callAs(keys.get('publisher'), ['GET', '/v1/topics']));
    expectForbidden(await callAs(keys.get('publisher'), ['GET', '/v1/subscriptions']));
    expectForbidden(await callAs(keys.get('consumer'), ['GET', '/v1/topics']));
  });
});

describe('what no role is for', () => {
  it('is answered to any key: an unknown path, a wrong method', async () => {
    for (const role of roles) {
      expect((await callAs(keys.get(role), ['GET', '/v1/nothing'])).status).toBe(404);
      expect((await callAs(keys.get(role), ['POST', '/v1/topics/out'])).status).toBe(405);
    }
  });

  it('is refused before the body is read', async () => {
    const bytes = Buffer.alloc(17 * 1024 * 1024);
    expectForbidden(await callAs(keys.get('auditor'), ['POST', '/v1/topics/in-1/messages', { bytes }]));
  });

  it('a receipt of another subscription settles nothing', async () => {
    const [mine, theirs] = [await client.freshSubscription(), await client.freshSubscription()];
    const key = await makeKey({ client: 'mine', roles: [{ role: 'consumer', subscriptions: [mine] }] });
    await lease(theirs);
    const { status, json } = await callAs<{ results: object[] }>(key, [
      'POST',
      `${onSubscription(mine)}/acknowledge`,
      { json: { receipts: receipts.get(theirs) } },
    ]);
    expect(status).toBe(409);
    expect(json.results).toMatchObject([{ outcome: 'invalid_receipt', message_id: null }]);
  });
});
