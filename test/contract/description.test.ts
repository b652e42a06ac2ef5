// Walks the service's own description and makes every call in it, with nothing but what the
// description says: rightly, by its examples, and wrongly, in every way that it says something
// about. Whether the answers are as described is the client's to check, here as in every other
// contract test.

import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Client } from '../support/client.ts';
import { startTestService, type TestService } from '../support/service.ts';
import type { Operation } from '../support/witness.ts';

interface Call {
  method: string;
  template: string;
  operation: Operation;
}

interface Body {
  json?: Record<string, unknown>;
  bytes?: Buffer;
}

let service: TestService;
let client: Client;
let calls: Call[];
beforeAll(async () => {
  service = await startTestService();
  client = service.client;
  calls = Object.entries(service.witness.description.paths).flatMap(([template, operations]) =>
    Object.entries(operations).map(([verb, operation]) => ({ method: verb.toUpperCase(), template, operation })),
  );
  // The examples of subscriptions name it as theirs.
  await client.call('PUT', '/v1/topics/payments');
});
afterAll(() => service.stop());

/** Runs a check for each call, and says of which one it failed. */
const forEach = async (some: (call: Call) => boolean, check: (call: Call) => Promise<void>): Promise<void> => {
  const chosen = calls.filter(some);
  expect(chosen.length).toBeGreaterThan(0);
  for (const call of chosen) {
    await check(call).catch((cause: unknown) => {
      throw new Error(`${call.method} ${call.template}: ${(cause as Error).message}`, { cause });
    });
  }
};
const isOpen = ({ operation }: Call) => operation.security?.length === 0;
const takesJson = ({ operation }: Call) => operation.requestBody?.content['application/json'] !== undefined;
const fill = (template: string, name: string, keyId = name, ledgerId = name) =>
  template.replace(/\{(\w+)\}/g, (_, parameter: string) => {
    const known: Record<string, string> = { topic: name, subscription: name, ledger: ledgerId, key: keyId };
    return known[parameter] ?? `say in this file what stands for {${parameter}}`;
  });
/** The headers that the description shows for a call. */
const headersOf = ({ operation }: Call): Record<string, string> =>
  Object.fromEntries(
    operation.parameters
      .filter((parameter) => parameter.in === 'header' && parameter.example !== undefined)
      .map(({ name, example }) => [name.replace('*', 'Zork'), String(example)]),
  );
const statusesOf = ({ operation }: Call) => Object.keys(operation.responses).map(Number);

/** The bodies that the description shows for a call; one empty body where it shows none. */
const bodiesOf = ({ operation }: Call): Body[] => {
  const content = Object.values(operation.requestBody?.content ?? {});
  const bodies = content.flatMap(({ example, examples }): Body[] =>
    example !== undefined
      ? [{ bytes: Buffer.from(String(example)) }]
      : Object.values(examples ?? {}).map(({ value }) => ({ json: value as Record<string, unknown> })),
  );
  return bodies.length > 0 ? bodies : [{}];
};

/**
 * A body of the description with receipts that are good, since those that it shows are nobody's.
 */
const withReceipts = ({ json, ...body }: Body, receipts: string[]): Body => {
  if (json === undefined) return body;
  const renew = (entry: unknown, index: number) =>
    typeof entry === 'string' ? receipts[index] : { ...(entry as object), receipt: receipts[index] };
  const lists = ['receipts', 'acknowledge'].filter((field) => Array.isArray(json[field]));
  return {
    json: { ...json, ...Object.fromEntries(lists.map((field) => [field, (json[field] as unknown[]).map(renew)])) },
  };
};

/**
 * The name of a topic and subscription with three messages, the receipts of two of them, and a key.
 */
const arrange = async () => {
  const name = await client.freshSubscription();
  await client.publish(name, 'a', 'b', 'c');
  const receipts = (await client.receive(name, { max_messages: 2 })).map(({ receipt }) => receipt);
  const roles = [{ role: 'auditor', topics: ['*'], subscriptions: ['*'] }];
  const { json } = await client.post<{ id: string; key: string }>('/v1/keys', { client: name, roles });
  const subscription = await client.get<{ id: string }>(`/v1/subscriptions/${name}`);
  return { name, receipts, ledgerId: subscription.json.id, keyId: json.id, key: json.key };
};

describe('every call that the service describes', () => {
  it('does what its examples say', async () => {
    await forEach(
      () => true,
      async (call) => {
        for (const body of bodiesOf(call)) {
          const { name, receipts, keyId, ledgerId } = await arrange();
          const isNew = call.method === 'PUT';
          const path = fill(call.template, isNew ? client.freshName('new') : name, keyId, ledgerId);
          const options = { ...withReceipts(body, receipts), headers: headersOf(call) };
          const { status } = await client.call(call.method, path, options);
          const expected = statusesOf(call).filter((each) => each < 300);
          expect(status).toBe(isNew ? 201 : expected[0]);
          if (isNew) expect((await client.call(call.method, path, body)).status).toBe(200);
        }
      },
    );
  });

  it('asks for a key before anything else, unless it is said to need none', async () => {
    await forEach(
      () => true,
      async (call) => {
        const { status } = await client.call(call.method, fill(call.template, 'nobody'), { key: null });
        expect(status === 401).toBe(!isOpen(call));
      },
    );
  });

  it('is closed to a key without the role, and open to one with it', async () => {
    const { name, key, keyId, ledgerId } = await arrange();
    await forEach(
      (call) => !isOpen(call),
      async (call) => {
        const [, roles = ''] = /^For the roles (.*)\.$/m.exec(call.operation.description) ?? [];
        expect(roles).toMatch(/`admin`/);
        const { status } = await client.call(call.method, fill(call.template, name, keyId, ledgerId), { key });
        expect(status === 403).toBe(!roles.includes('`auditor`'));
      },
    );
  });

  it('refuses a query that is not described, unless the call needs no key', async () => {
    await forEach(
      ({ operation }) => operation.security === undefined,
      async (call) => {
        const { status, json } = await client.call(call.method, `${fill(call.template, 'payments')}?zork=1`);
        expect([status, json.code]).toEqual([400, 'invalid_request']);
      },
    );
  });

  it('refuses a body that is said to be encoded, where it reads one', async () => {
    await forEach(
      ({ method }) => method !== 'GET',
      async (call) => {
        const options = { bytes: Buffer.from('x'), headers: { 'content-encoding': 'zork' } };
        expect((await client.call(call.method, fill(call.template, 'payments'), options)).status).toBe(415);
      },
    );
  });

  it('refuses a name that is none, and does not find what is not there where it says so', async () => {
    await forEach(
      ({ template }) => template.includes('{'),
      async (call) => {
        const [body] = bodiesOf(call);
        const isName = /\{(?:topic|subscription)\}/.test(call.template);
        expect((await client.call(call.method, fill(call.template, '-'), body)).status).toBe(isName ? 400 : 404);
        if (call.method === 'PUT') return;
        const { status } = await client.call(call.method, fill(call.template, 'nobody'), body);
        expect(status === 404).toBe(statusesOf(call).includes(404));
      },
    );
  });

  it('refuses a body that is no JSON, a field that is not described, and a wrong type in any that is', async () => {
    await forEach(takesJson, async (call) => {
      const path = fill(call.template, 'payments');
      const bytes = Buffer.from('{}');
      expect((await client.call(call.method, path, { bytes })).status).toBe(415);
      const headers = { 'content-type': 'application/json' };
      expect((await client.call(call.method, path, { bytes: Buffer.from('{'), headers })).status).toBe(400);
      const [body] = bodiesOf(call);
      for (const field of ['zork', ...bodiesOf(call).flatMap(({ json }) => Object.keys(json ?? {}))]) {
        const { status, json } = await client.call(call.method, path, {
          json: { ...body?.json, [field]: { zork: 1 } },
        });
        expect([status, json.code]).toEqual([400, 'invalid_request']);
      }
    });
  });

  it('is one of those that its path knows: others are answered with 405 and their list', async () => {
    for (const [template, operations] of Object.entries(service.witness.description.paths)) {
      const described = Object.keys(operations).map((verb) => verb.toUpperCase());
      const known = [...described, ...(described.includes('GET') ? ['HEAD'] : [])].sort();
      for (const method of ['GET', 'PUT', 'POST', 'PATCH', 'DELETE', 'OPTIONS']) {
        if (known.includes(method)) continue;
        const { status, headers } = await client.call(method, fill(template, 'payments'));
        expect([method, template, status, headers.allow]).toEqual([method, template, 405, known.join(', ')]);
      }
    }
  });

  it('can be asked for its headers alone where it is a GET', async () => {
    await forEach(
      ({ method }) => method === 'GET',
      async ({ template }) => {
        const { name, keyId, ledgerId } = await arrange();
        expect((await client.call('HEAD', fill(template, name, keyId, ledgerId))).status).toBe(200);
      },
    );
  });
});

describe('the description', () => {
  it('is served without a key, as JSON', async () => {
    const { status, headers, json } = await client.call<object>('GET', '/openapi.json', { key: null });
    expect([status, headers['content-type']]).toEqual([200, 'application/json; charset=utf-8']);
    expect(json).toEqual(service.witness.description);
  });

  it('is served without a key as a page, which may do nothing and loads nothing', async () => {
    const { status, headers, bytes } = await client.call('GET', '/docs', { key: null });
    expect([status, headers['content-type']]).toEqual([200, 'text/html; charset=utf-8']);
    const policy = String(headers['content-security-policy']);
    expect(policy).toMatch(/^default-src 'none'; style-src 'sha256-[\w+/]+='; img-src data:; base-uri 'none'; /);
    const page = bytes.toString('utf8').replace('<link rel="icon" href="data:', '');
    expect(page).not.toMatch(/<(?:script|link|img|iframe|object|form)|\s(?:src|on\w+|style)=|url\(|@import/i);
    expect(page).not.toMatch(/href="(?!#|openapi\.json")/);
    for (const { operation } of calls) expect(page).toContain(`<article id="${operation.operationId}">`);
  });
});

describe('the witness of these tests', () => {
  const example = {
    ...{
      name: 'payments',
      id: `top_${'0'.repeat(32)}`,
      created_at: '2026-03-17T06:40:02.118Z',
      created_by: 'admin',
      max_message_bytes: 1,
      max_backlog: null,
    },
    ...{
      dedupe_window_seconds: 1,
      retention_seconds: 60,
      retain_acknowledged_seconds: 0,
      expired_retention_seconds: 0,
    },
  };
  const problem = (code: string) => ({
    headers: { 'content-type': 'application/problem+json' },
    bytes: Buffer.from(JSON.stringify({ type: 'urn:x', title: 'x', status: 404, detail: 'x', code })),
  });
  const check = async (changes: object) => {
    const { json, ...answer } = await client.get('/v1/topics/payments');
    service.witness.check({ method: 'GET', path: '/v1/topics/payments', ...answer, ...changes });
  };

  it.each<[string, object, RegExp]>([
    ['a status that is not described', { status: 202 }, /status is not among those described/],
    ['another content type', { headers: { 'content-type': 'text/plain', etag: '"x"' } }, /content type "text\/plain"/],
    [
      'a header that is not described',
      { headers: { 'content-type': 'application/json', etag: '"x"', allow: 'GET' } },
      /header allow/,
    ],
    [
      'a field that is not described',
      { bytes: Buffer.from(JSON.stringify({ ...example, zork: 1 })) },
      /additional prop/,
    ],
    ['a field that is missing', { bytes: Buffer.from('{}') }, /must have required property 'name'/],
    ['a body where none is described', { method: 'HEAD' }, /a body of/],
    ['a problem of another code', { status: 404, ...problem('subscription_not_found') }, /code must be equal to one/],
    ['a header that is missing', { method: 'PUT', status: 201 }, /header Location is missing/],
    ['an accepted request that is wrong', { method: 'PUT', json: { zork: 1 } }, /additional properties/],
  ])('does not let %s pass', async (_, changes, says) => {
    await check({});
    await expect(check(changes)).rejects.toThrow(says);
  });
});
