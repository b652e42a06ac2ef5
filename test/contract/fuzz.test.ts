// Generated input over every operation: whatever is sent, the answer is below 500, says what is
// wrong, and the service is well afterwards. A failure prints fast-check's seed and the smallest
// request that shows it.

import { once } from 'node:events';
import { connect } from 'node:net';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Answer, Client, Problem } from '../support/client.ts';
import { startTestService, type TestService } from '../support/service.ts';

let service: TestService;
let client: Client;
beforeAll(async () => {
  service = await startTestService();
  client = service.client;
  await client.call('PUT', '/v1/subscriptions/there', { json: {} });
});
afterAll(() => service.stop());

const RUNS = 250;

const name = fc.oneof(
  fc.constantFrom('there', 'absent', '.', '..', 'a'.repeat(129), '%00', '%ff', '%2e%2e', 'ü', "'; drop table x; --"),
  fc.string({ maxLength: 12 }).map((text) => encodeURIComponent(text.toWellFormed())),
);
const operations: readonly [method: string, path: string][] = [
  ...(['PUT', 'PATCH', 'GET', 'DELETE'] as const).flatMap((method): [string, string][] => [
    [method, '/v1/topics/{}'],
    [method, '/v1/subscriptions/{}'],
  ]),
  ['GET', '/v1/topics'],
  ['GET', '/v1/subscriptions'],
  ['POST', '/v1/topics/{}/messages'],
  ['POST', '/v1/topics/{}/messages/raw'],
  ...['receive', 'receive/raw', 'acknowledge', 'release', 'extend', 'reject'].map((verb): [string, string] => [
    'POST',
    `/v1/subscriptions/{}/${verb}`,
  ]),
  ['GET', '/v1/subscriptions/{}/acknowledgments'],
  ['GET', '/v1/subscriptions/{}/dead-letters'],
  ['POST', '/v1/keys'],
  ['GET', '/v1/keys'],
  ['GET', '/v1/keys/{}'],
  ['DELETE', '/v1/keys/{}'],
];

/** Field names that mean something, with values that may or may not. */
const fieldName = fc.constantFrom(
  ...['messages', 'body', 'body_encoding', 'content_type', 'attributes', 'ordering_key', 'dedupe_key', 'delay_seconds'],
  ...['deliver_at', 'max_messages', 'max_bytes', 'visibility_timeout_seconds', 'acknowledge', 'receipts', 'receipt'],
  ...['reference', 'atomic', 'error', 'code', 'message', 'topic', 'start', 'retry', 'min_backoff_seconds', '__proto__'],
  ...['max_in_flight', 'max_attempts', 'retention_seconds', 'max_message_bytes', 'constructor', 'toString'],
  ...['client', 'roles', 'role', 'topics', 'subscriptions', 'expires_at'],
);
const value = fc.letrec((tie) => ({
  any: fc.oneof(
    { maxDepth: 3 },
    fc.constantFrom(
      null,
      true,
      0,
      -1,
      1,
      1e308,
      -0,
      0.5,
      2 ** 53,
      '',
      'x',
      '\u0000',
      '\ud800',
      'earliest',
      'utf8',
      'base64',
    ),
    fc.string({ unit: 'binary', maxLength: 20 }),
    fc.date({ noInvalidDate: true }).map((date) => date.toISOString()),
    fc.array(tie('any'), { maxLength: 4 }),
    fc.dictionary(fieldName, tie('any'), { maxKeys: 5 }),
  ),
})).any;
/** A long poll would only slow the runs down. */
const body = fc.oneof(
  value.map((json) =>
    typeof json === 'object' && json !== null && !Array.isArray(json) ? { ...json, wait_seconds: 0 } : json,
  ),
  fc.record({ messages: fc.array(fc.dictionary(fieldName, value, { maxKeys: 4 }), { maxLength: 3 }) }),
  fc.record({ receipts: fc.array(fc.oneof(fc.string({ maxLength: 50 }), value), { maxLength: 5 }) }),
);

function expectAnswered({ status, json, headers }: Answer<Problem>): void {
  expect(status).toBeLessThan(500);
  if (status < 400) return;
  expect(headers['content-type']).toMatch(/^application\/problem\+json/);
  expect(json).toMatchObject({
    status,
    code: expect.any(String),
    detail: expect.any(String),
    title: expect.any(String),
  });
  expect(JSON.stringify(json)).not.toMatch(/node_modules|\.ts:\d|postgres|willcall\.[a-z_]+\(/);
}

async function expectWell(): Promise<void> {
  const topic = await client.freshSubscription();
  await client.publish(topic, 'after');
  expect((await client.receive(topic)).map((message) => message.body)).toEqual(['after']);
}

describe('generated requests', () => {
  it('with JSON of any shape are answered below 500, with a problem that names it', async () => {
    await fc.assert(
      fc.asyncProperty(fc.constantFrom(...operations), name, body, async ([method, path], called, json) => {
        const target = path.replace('{}', called);
        const bytes = Buffer.from(JSON.stringify(json) ?? '');
        // A receive without a body would wait.
        if (target.includes('/receive') && (bytes.length === 0 || !bytes.includes('wait_seconds'))) return;
        const options = method === 'GET' ? {} : { bytes, headers: { 'content-type': 'application/json' } };
        expectAnswered(await client.call(method, target, options));
      }),
      { numRuns: RUNS },
    );
    await expectWell();
  });

  it('with bytes that are no JSON are answered below 500', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.constantFrom(...operations),
        fc.uint8Array({ minLength: 1, maxLength: 60 }),
        async (op, raw) => {
          const [method, path] = op;
          if (method === 'GET' || method === 'DELETE') return;
          const headers = { 'content-type': 'application/json' };
          expectAnswered(await client.call(method, path.replace('{}', 'fuzz'), { bytes: Buffer.from(raw), headers }));
        },
      ),
      { numRuns: RUNS },
    );
    await expectWell();
  });

  it('with any query are answered below 500', async () => {
    const part = fc.oneof(
      fc.constantFrom(
        'limit',
        'after',
        'from',
        'until',
        'message_id',
        'acknowledged_by',
        'reason',
        '1',
        '-1',
        '1e9',
        '%',
        '%ff',
      ),
      fc.string({ maxLength: 8 }).map((text) => encodeURIComponent(text.toWellFormed())),
    );
    const query = fc
      .array(fc.tuple(part, part), { maxLength: 4 })
      .map((pairs) => pairs.map((p) => p.join('=')).join('&'));
    await fc.assert(
      fc.asyncProperty(fc.constantFrom(...operations), query, async ([method, path], pairs) => {
        if (method !== 'GET') return;
        expectAnswered(await client.get(`${path.replace('{}', 'there')}?${pairs}`));
      }),
      { numRuns: RUNS },
    );
    await expectWell();
  });

  it('with headers of any text on a raw publish are answered below 500', async () => {
    const headerName = fc.constantFrom(
      ...['Willcall-Attribute-A', 'Willcall-Attribute-', 'Willcall-Ordering-Key', 'Willcall-Delay-Seconds'],
      ...['Willcall-Deliver-At', 'Idempotency-Key', 'Content-Type', 'Content-Encoding', 'Accept', 'Willcall-X'],
    );
    const headerValue = fc.oneof(
      fc.constantFrom('', '%', '%00', '%C3%28', '1', '-1', 'text/xml', '2026-01-01T00:00:00Z', 'gzip', 'a/b; c="'),
      fc.string({ maxLength: 20 }),
    );
    await fc.assert(
      fc.asyncProperty(fc.dictionary(headerName, headerValue, { maxKeys: 4 }), async (headers) => {
        expectAnswered(
          await client.call('POST', '/v1/topics/there/messages/raw', { bytes: Buffer.from('x'), headers }),
        );
      }),
      { numRuns: RUNS },
    );
    await expectWell();
  });
});

describe('generated bytes on a bare connection', () => {
  /**
   * What came back until the service closed, or until it had nothing more to say to a client that
   * closed its side.
   */
  const exchange = async (bytes: Uint8Array): Promise<string> => {
    const socket = connect({ port: Number(new URL(service.url).port), host: '127.0.0.1' });
    const chunks: Buffer[] = [];
    socket.on('data', (chunk: Buffer) => chunks.push(chunk));
    socket.on('error', () => {});
    socket.end(bytes);
    await once(socket, 'close');
    return Buffer.concat(chunks).toString('latin1');
  };
  const line = fc.oneof(
    fc.constantFrom(
      ...[
        'GET / HTTP/1.1',
        'POST /v1/topics/a/messages HTTP/1.1',
        'GET /healthz HTTP/1.0',
        'PRI * HTTP/2.0',
        'Host: x',
      ],
      ...[
        'Content-Length: 5',
        'Content-Length: -1',
        'Content-Length: 99999999999999999999',
        'Transfer-Encoding: chunked',
      ],
      ...['Transfer-Encoding: chunked, identity', 'Expect: 100-continue', 'Upgrade: websocket', 'Connection: upgrade'],
      ...['', '5', '0', 'hello', 'X: \u0001', ' folded', 'GET http://[::1/ HTTP/1.1'],
    ),
    fc.string({ unit: 'binary', maxLength: 30 }),
  );

  it('end in an answer below 500 or a closed connection, never in a hang', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(line, { maxLength: 8 }), fc.boolean(), async (lines, blank) => {
        const answer = await exchange(Buffer.from(`${lines.join('\r\n')}${blank ? '\r\n\r\n' : ''}`, 'utf8'));
        for (const [, status] of answer.matchAll(/^HTTP\/1\.1 (\d{3})/gm)) expect(Number(status)).toBeLessThan(500);
      }),
      { numRuns: RUNS },
    );
    await expectWell();
  });
});
