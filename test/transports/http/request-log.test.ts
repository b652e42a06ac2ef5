// The request id, and the line that each request has in the log.

import { once } from 'node:events';
import { connect } from 'node:net';
import { afterEach, describe, expect, it } from 'vitest';
import { WillcallError } from '../../../src/domain/errors.ts';
import { requestHead, startTransport, type TestTransport } from '../rest/fake-engine.ts';

const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[0-9a-f]{4}-[0-9a-f]{12}$/;
const key = `wk_${'0'.repeat(20)}_${'s'.repeat(43)}`;

let transport: TestTransport;
afterEach(() => transport.stop());

const send = async (bytes: string): Promise<string> => {
  const socket = connect(Number(new URL(transport.url).port), '127.0.0.1');
  let text = '';
  socket.setEncoding('utf8').on('data', (chunk: string) => {
    text += chunk;
  });
  socket.write(bytes);
  await once(socket, 'close');
  return text;
};

describe('the request id', () => {
  it.each(['abc', 'A1._:/+=@-', 'x'.repeat(128)])('is that of the client: %s', async (id) => {
    transport = await startTransport({});
    const { headers } = await transport.client.call('GET', '/healthz', { headers: { 'x-request-id': id } });
    expect(headers['x-request-id']).toBe(id);
  });

  it.each([
    ['empty', ''],
    ['too long', 'x'.repeat(129)],
    ['with a space', 'a b'],
    ['with a quote', 'a"b'],
    ['with letters beyond ASCII', 'ä'],
    ['sent twice', ['a', 'b']],
    ['a key', key],
  ])('is made where that of the client is %s', async (_, sent) => {
    transport = await startTransport({});
    const { headers } = await transport.client.call('GET', '/healthz', { headers: { 'x-request-id': sent } });
    expect(headers['x-request-id']).toMatch(UUID);
  });

  it.each([
    ['refused by the engine', '/v1/topics/t', 404],
    ['refused for its name', '/v1/topics/-', 400],
    ['refused for its path', '/v1/%ff', 400],
    ['about nothing', '/nothing', 404],
  ])('stands in the problem document of a request that is %s', async (_, path, status) => {
    transport = await startTransport({
      getTopic: () => Promise.reject(new WillcallError('topic_not_found', { topic: 't' })),
    });
    const answer = await transport.client.call('GET', path, { headers: { 'x-request-id': 'mine' } });
    expect(answer.status).toBe(status);
    expect(answer.headers['x-request-id']).toBe('mine');
    expect(answer.json).toMatchObject({ request_id: 'mine' });
  });

  it('stands in the answer to what is no HTTP', async () => {
    transport = await startTransport({});
    const text = await send('GARBAGE\r\n\r\n');
    const id = /x-request-id: (\S+)/.exec(text)?.[1];
    expect(id).toMatch(UUID);
    expect(text).toContain(`"request_id":"${id}"`);
  });
});

describe('the log line of a request', () => {
  it('says what it was about, who made it, and what came of it', async () => {
    transport = await startTransport({
      getTopic: () => Promise.reject(new WillcallError('topic_not_found', { topic: 'pay' })),
    });
    const { bytes } = await transport.client.call('GET', '/v1/topics/pay', { headers: { 'x-request-id': 'mine' } });
    await expect
      .poll(() => transport.lines.find(({ requestId }) => requestId === 'mine'))
      .toEqual({
        msg: 'answered a request',
        requestId: 'mine',
        method: 'GET',
        route: '/v1/topics/:topic',
        operation: 'getTopic',
        topic: 'pay',
        principal: 'admin',
        status: 404,
        code: 'topic_not_found',
        ms: expect.any(Number),
        bytes: bytes.length,
        requestBytes: 0,
        peer: '127.0.0.1',
      });
  });

  it('has the id of a key that is not good, and never its secret', async () => {
    transport = await startTransport({});
    await transport.client.call('GET', `/v1/topics/${key}`, { key });
    await expect.poll(() => transport.lines.filter(({ status }) => status === 401)).toHaveLength(1);
    const [line] = transport.lines.filter(({ status }) => status === 401);
    expect(line).toMatchObject({ keyId: `wk_${'0'.repeat(20)}`, code: 'unauthenticated' });
    expect(JSON.stringify(transport.lines)).not.toContain('sssss');
  });

  it('says that the client went away before its answer', async () => {
    const asked = Promise.withResolvers<void>();
    transport = await startTransport({
      receive: ({ signal }) => {
        asked.resolve();
        return new Promise((resolve) => {
          const answer = { messages: [], acknowledged: [], lost: () => {} };
          signal.addEventListener('abort', () => resolve(answer), { once: true });
        });
      },
    });
    const socket = connect(Number(new URL(transport.url).port), '127.0.0.1');
    socket.write(requestHead('/v1/subscriptions/s/receive'));
    await asked.promise;
    socket.destroy();
    const lost = 'the client went away before its answer';
    await expect
      .poll(() => transport.lines.find(({ msg }) => msg === lost))
      .toMatchObject({ operation: 'receive', peer: '127.0.0.1' });
  });
});
