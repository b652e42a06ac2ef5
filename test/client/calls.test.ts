// What the TypeScript client does with answers that are late, lost, wrong or not the service's own.

import { afterEach, describe, expect, it } from 'vitest';
import { createClient, WillcallClientError } from '../../src/client/index.ts';
import { openScriptedServer, problem, type Scripted, type ScriptedServer } from '../support/scripted-server.ts';

let server: ScriptedServer;
afterEach(() => server.close());

const retry = { attemptsMax: 4, minDelayMs: 1, maxDelayMs: 5 };
/** Answers in turn; the last answer goes on for ever. */
const open = async (...answers: Scripted[]) => {
  server = await openScriptedServer((_, index) => answers[Math.min(index, answers.length - 1)] ?? 'silence');
  return createClient({ url: `${server.url}/`, key: 'secret', retry, timeoutMs: 2000 });
};
const errorOf = async (call: Promise<unknown>): Promise<WillcallClientError> => {
  const error = await call.then(
    () => null,
    (thrown: unknown) => thrown,
  );
  if (error instanceof WillcallClientError) return error;
  throw new Error('expected a WillcallClientError', { cause: error });
};
const received = { messages: [], acknowledged: [] };
const busy = problem(503, 'overloaded');

describe('a call', () => {
  it('speaks the words of the wire, and leaves names of attributes alone', async () => {
    const client = await open({ status: 201, body: { messages: [{ id: 'm', sequence: 1, duplicate: false }] } });
    const published = await client.publish('a b', [
      { body: '<Ping/>', contentType: 'text/xml', attributes: { camelCase: 'x', snake_case: 'y' }, delaySeconds: 5 },
      { body: Uint8Array.of(0, 255) },
    ]);
    expect(published).toEqual([{ id: 'm', sequence: 1, duplicate: false }]);
    expect(server.seen[0]).toMatchObject({
      method: 'POST',
      path: '/v1/topics/a%20b/messages',
      headers: { authorization: 'Bearer secret', 'content-type': 'application/json' },
      json: {
        messages: [
          {
            ...{ body: '<Ping/>', content_type: 'text/xml', delay_seconds: 5 },
            attributes: { camelCase: 'x', snake_case: 'y' },
          },
          { body: 'AP8=', body_encoding: 'base64' },
        ],
      },
    });
  });

  it('turns answers over too, with fields that it does not know', async () => {
    const client = await open({ body: { name: 's', max_in_flight: null, stats: { in_flight: 3, new_figure: 1 } } });
    expect(await client.getSubscription('s')).toEqual({
      name: 's',
      maxInFlight: null,
      stats: { inFlight: 3, newFigure: 1 },
    });
  });

  it('writes a query of what is given alone', async () => {
    const client = await open({ body: { acknowledgments: [], next: null } });
    await client.listAcknowledgments('s', { limit: 5, acknowledgedBy: 'a&b' });
    expect(server.seen[0]?.path).toBe('/v1/subscriptions/s/acknowledgments?limit=5&acknowledged_by=a%26b');
  });

  it('throws the problem of the service with its code', async () => {
    const errors = [{ field: 'max_messages', message: 'must be less' }];
    const client = await open(problem(400, 'invalid_request', { errors }));
    const error = await errorOf(client.receive('s'));
    expect(error).toMatchObject({ code: 'invalid_request', status: 400, message: 'Title: Detail.' });
    expect(error.problem?.errors).toEqual(errors);
    expect(server.seen).toHaveLength(1);
  });

  it.each<[string, Scripted]>([
    ['a page of a proxy', { status: 502, headers: { 'content-type': 'text/html' }, body: '<h1>Bad Gateway</h1>' }],
    ['a page instead of an answer', { status: 200, headers: { 'content-type': 'text/html' }, body: '<h1>Hi</h1>' }],
    ['a redirect', { status: 302, headers: { location: 'http://127.0.0.1:1/' } }],
  ])('says when the answer is not of the service: %s', async (_, answer) => {
    const client = await open(answer);
    expect(await errorOf(client.getTopic('t', { attemptsMax: 1 }))).toMatchObject({
      code: 'unexpected_answer',
      problem: null,
    });
  });

  it('says when nothing answers, and when nothing answers in time', async () => {
    const client = await open('silence');
    const impatient = createClient({ url: server.url, key: 'k', timeoutMs: 50, retry: { attemptsMax: 1 } });
    expect(await errorOf(impatient.getTopic('t'))).toMatchObject({ code: 'timed_out', status: null });
    await server.close();
    expect(await errorOf(client.getTopic('t'))).toMatchObject({ code: 'connection_failed', status: null });
    server = await openScriptedServer(() => 'silence');
  });

  it('is given up with the reason of its signal', async () => {
    const client = await open('silence');
    const controller = new AbortController();
    const call = client.receive('s', {}, { signal: controller.signal });
    const reason = new Error('enough');
    controller.abort(reason);
    await expect(call).rejects.toBe(reason);
  });

  it('is given up while it waits to be repeated', async () => {
    const client = await open({ ...busy, headers: { 'content-type': 'application/json', 'retry-after': '60' } });
    const controller = new AbortController();
    const call = client.getTopic('t', { signal: controller.signal });
    await expect.poll(() => server.seen.length).toBe(1);
    controller.abort();
    await expect(call).rejects.toMatchObject({ name: 'AbortError' });
  });
});

describe('a call that may be repeated', () => {
  it.each<[string, Scripted]>([
    ['503', busy],
    ['429', problem(429, 'rate_limited')],
    ['408', problem(408, 'request_timeout')],
    ['500', problem(500, 'internal')],
    ['a gateway without an upstream', { status: 502, body: 'Bad Gateway' }],
    ['a connection that breaks', 'hang up'],
  ])('is repeated after %s', async (_, trouble) => {
    const client = await open(trouble, trouble, { body: received });
    expect(await client.receive('s')).toEqual(received);
    expect(server.seen).toHaveLength(3);
    // One key for all three, so that what a lost answer held comes with the next.
    expect(new Set(server.seen.map(({ headers }) => headers['idempotency-key'])).size).toBe(1);
  });

  it('is repeated a bounded number of times', async () => {
    const client = await open(busy);
    expect(await errorOf(client.acknowledge('s', ['r']))).toMatchObject({ code: 'overloaded', status: 503 });
    expect(server.seen).toHaveLength(retry.attemptsMax);
  });

  it('waits at least as long as the service asks for', async () => {
    const client = await open(
      { ...busy, headers: { 'content-type': 'application/json', 'retry-after': '1' } },
      { body: received },
    );
    await client.receive('s');
    const [first, second] = server.seen;
    expect((second?.at ?? 0) - (first?.at ?? 0)).toBeGreaterThanOrEqual(995);
  });

  it('takes a deletion whose answer was lost for done', async () => {
    const client = await open('hang up', problem(404, 'topic_not_found'));
    await client.deleteTopic('t');
    expect(server.seen).toHaveLength(2);
  });

  it('does not take a deletion of nothing for done', async () => {
    const client = await open(problem(404, 'topic_not_found'));
    expect((await errorOf(client.deleteTopic('t'))).code).toBe('topic_not_found');
  });
});

describe('a publish', () => {
  it.each<[string, Scripted]>([
    ['503', busy],
    ['a connection that breaks', 'hang up'],
  ])('is not repeated after %s: it may have happened', async (_, trouble) => {
    const client = await open(trouble);
    await errorOf(client.publish('t', [{ body: 'x' }]));
    expect(server.seen).toHaveLength(1);
  });

  it('is repeated when every message has a dedupe key', async () => {
    const client = await open('hang up', busy, { status: 201, body: { messages: [] } });
    await client.publish('t', [{ body: 'x', dedupeKey: '1' }]);
    expect(server.seen).toHaveLength(3);
    await server.close();
    const other = await open('hang up');
    await errorOf(other.publish('t', [{ body: 'x', dedupeKey: '1' }, { body: 'y' }]));
    expect(server.seen).toHaveLength(1);
  });

  it('is repeated when it was refused unread', async () => {
    const client = await open(problem(429, 'rate_limited'), { status: 201, body: { messages: [] } });
    expect(await client.publish('t', [{ body: 'x' }])).toEqual([]);
    expect(server.seen).toHaveLength(2);
  });
});

describe('settling', () => {
  const results = [{ receipt: 'r', message_id: 'm', outcome: 'superseded', ack_no: null }];

  it.each(['nothing_settled', 'atomic_refused'])('gives the outcomes as values, also with 409 %s', async (code) => {
    const client = await open(problem(409, code, { results, failed: 1 }));
    expect(await client.acknowledge('s', ['r'], { atomic: true })).toEqual({
      results: [{ receipt: 'r', messageId: 'm', outcome: 'superseded', ackNo: null }],
      failed: 1,
    });
    expect(server.seen[0]?.json).toEqual({ receipts: ['r'], atomic: true });
  });

  it('throws other conflicts', async () => {
    const client = await open(problem(409, 'topic_conflict'));
    expect((await errorOf(client.createTopic('t', { maxMessageBytes: 1 }))).code).toBe('topic_conflict');
  });
});
