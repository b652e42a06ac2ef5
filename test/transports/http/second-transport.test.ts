// The seam between the listener and its transports: a second transport beside REST, on the same
// port, that differs in everything that a transport may differ in.

import { once } from 'node:events';
import { connect } from 'node:net';
import { PassThrough } from 'node:stream';
import type { FastifyInstance } from 'fastify';
import { afterEach, describe, expect, it } from 'vitest';
import { adminAccess } from '../../../src/domain/access.ts';
import { WillcallError } from '../../../src/domain/errors.ts';
import { fairUseDefaults } from '../../../src/domain/fair-use.ts';
import { ByteBudget } from '../../../src/engine/fair-use/byte-budget.ts';
import type { Engine } from '../../../src/engine/index.ts';
import { readBody } from '../../../src/transports/http/body.ts';
import { createHttpListener, type HttpListener } from '../../../src/transports/http/listener.ts';
import { openAnswerOf } from '../../../src/transports/http/open-answers.ts';
import { defaultTimeouts, type Timeouts } from '../../../src/transports/http/timeouts.ts';
import type { HttpTransport } from '../../../src/transports/http/transport.ts';
import { createRestTransport } from '../../../src/transports/rest/index.ts';
import { type Client, createClient } from '../../support/client.ts';

const restKey = 'k'.repeat(32);
const STREAM_HEAD = 'GET /second/stream HTTP/1.1\r\nHost: test\r\nX-Second-Key: open sesame\r\n\r\n';

/** What the second transport's stream has written, and what it was told. */
interface Stream {
  readonly body: PassThrough;
  readonly ended: Promise<void>;
}

function createSecondTransport(onStream: (stream: Stream) => void): HttpTransport {
  return {
    name: 'second',
    headers: { 'content-security-policy': "default-src 'self'", 'x-second': 'yes' },
    renderFault: ({ code }) => ({
      status: 400,
      headers: { 'content-type': 'text/xml' },
      body: `<Error><Code>${code}</Code></Error>`,
    }),
    authentication: {
      challenge: ['Second'],
      authenticate({ headers }) {
        if (headers['x-second-key'] === 'open sesame') return adminAccess;
        throw new WillcallError('unauthenticated', 'Send X-Second-Key.');
      },
    },
    mount: (scope) => addSecondRoutes(scope, onStream),
  };
}

function addSecondRoutes(scope: FastifyInstance, onStream: (stream: Stream) => void): void {
  scope.removeAllContentTypeParsers();
  scope.addContentTypeParser('application/x-second', readBody);
  scope.route({
    method: 'POST',
    url: '/second',
    config: { operation: 'listTopics', query: true },
    handler: async (request, reply) => reply.type('text/plain').send(`${request.caller}: ${String(request.body)}`),
  });
  scope.route({
    method: 'GET',
    url: '/second/stream',
    config: { open: true },
    handler: async (request, reply) => {
      const body = new PassThrough();
      const ended = Promise.withResolvers<void>();
      openAnswerOf(request).becomeStream(ended.resolve);
      body.write('begun\n');
      onStream({ body, ended: ended.promise });
      return reply.type('text/event-stream').send(body);
    },
  });
}

let listener: HttpListener | null = null;
let client: Client;
let url: string;
const streams: Stream[] = [];
afterEach(async () => {
  streams.length = 0;
  client.close();
  await listener?.stop();
});

const open = async (timeouts: Partial<Timeouts> = {}): Promise<void> => {
  const ignore = () => {};
  const logger = { debug: ignore, info: ignore, warn: ignore, error: ignore };
  const engine = new Proxy<Partial<Engine>>(
    { authenticate: ({ secret }) => (secret === restKey ? adminAccess : null), admit: () => null },
    { get: (known, verb) => known[verb as keyof Engine] ?? (() => Promise.reject(new Error(String(verb)))) },
  ) as Engine;
  const second = createSecondTransport((stream) => streams.push(stream));
  listener = createHttpListener({
    transports: [createRestTransport(engine), second],
    engine,
    logger,
    byteBudget: new ByteBudget({ bytesMax: fairUseDefaults.trafficBytes }),
    host: '127.0.0.1',
    port: 0,
    timeouts: { ...defaultTimeouts, ...timeouts },
  });
  url = await listener.start();
  client = createClient(url, restKey);
};
/** Asks for the stream over a plain socket, and collects what comes. */
const openStream = async () => {
  const socket = connect(Number(new URL(url).port), '127.0.0.1');
  let text = '';
  socket.setEncoding('utf8').on('data', (chunk: string) => {
    text += chunk;
  });
  socket.write(STREAM_HEAD);
  await expect.poll(() => text).toContain('begun');
  return { socket, read: () => text };
};

describe('a second transport on the same listener', () => {
  it('has an error shape, headers and a challenge of its own, and REST keeps its own', async () => {
    await open();
    const refused = await client.call('POST', '/second', { key: null });
    expect([refused.status, refused.bytes.toString()]).toEqual([400, '<Error><Code>unauthenticated</Code></Error>']);
    expect(refused.headers).toMatchObject({
      'content-type': 'text/xml',
      'content-security-policy': "default-src 'self'",
      'www-authenticate': 'Second',
      'x-second': 'yes',
      'cache-control': 'no-store',
    });
    const rest = await client.call('GET', '/v1/topics', { key: null });
    expect(rest.headers['content-type']).toMatch('application/problem+json');
    expect(rest.headers['www-authenticate']).toMatch(/^Bearer .*Basic /);
    expect(rest.headers).not.toHaveProperty('x-second');
    expect(rest.headers['content-security-policy']).toMatch("default-src 'none'");
  });

  it('knows its own callers, and none of the other', async () => {
    await open();
    expect((await client.call('POST', '/second', { key: restKey })).status).toBe(400);
    const headers = { 'x-second-key': 'open sesame' };
    expect((await client.call('GET', '/v1/topics', { key: null, headers })).status).toBe(401);
  });

  it('takes content types and queries of its own', async () => {
    await open();
    const headers = { 'x-second-key': 'open sesame', 'content-type': 'application/x-second' };
    const bytes = Buffer.from('hello');
    const taken = await client.call('POST', '/second?Action=Send', { headers, bytes });
    expect(taken.bytes.toString()).toBe('admin: hello');
    const other = await client.call('POST', '/second', { headers: { ...headers, 'content-type': 'a/b' }, bytes });
    expect(other.bytes.toString()).toBe('<Error><Code>unsupported_media_type</Code></Error>');
    expect((await client.call('GET', '/v1/topics/t?x=1')).json.code).toBe('invalid_request');
  });

  it('is seen by the common answers: a method that its path does not know is a 405', async () => {
    await open();
    const { status, headers } = await client.call('DELETE', '/second');
    expect([status, headers.allow]).toEqual([405, 'POST']);
    expect((await client.call('GET', '/nowhere')).headers['content-type']).toMatch('application/problem+json');
  });
});

describe('a stream', () => {
  it('may be silent for longer than any other answer, and is not compressed', async () => {
    await open({ stallMs: 100 });
    const { socket, read } = await openStream();
    const other = connect(Number(new URL(url).port), '127.0.0.1').resume();
    other.write(
      `POST /v1/topics/t/messages HTTP/1.1\r\nHost: t\r\nAuthorization: Bearer ${restKey}\r\nContent-Length: 9\r\n\r\n`,
    );
    // The stalled request is cut by the same time-out, long after which the stream still writes.
    await once(other, 'close');
    expect(socket.closed).toBe(false);
    streams[0]?.body.write('later\n');
    await expect.poll(read).toContain('later');
    expect(read()).not.toMatch(/content-encoding/i);
    streams[0]?.body.end();
    socket.destroy();
  });

  it('is told of the stop, and its last words are heard', async () => {
    await open();
    const { socket, read } = await openStream();
    const closed = once(socket, 'close');
    const stopping = listener?.stop();
    await streams[0]?.ended;
    streams[0]?.body.end('bye\n');
    await stopping;
    await closed;
    expect(read()).toContain('bye');
    listener = null;
  });

  it('that does not end is cut when the time of the stop is over', async () => {
    await open({ stopMs: 50 });
    const { socket } = await openStream();
    const closed = once(socket, 'close');
    await listener?.stop();
    await closed;
    listener = null;
  });
});
