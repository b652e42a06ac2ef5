// Clients that are slow or stall, over raw sockets, with times that are short enough to be waited
// for: each case is ended by one of them, while the others are far away.

import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { afterEach, describe, expect, it } from 'vitest';
import { limits } from '../../../src/domain/limits.ts';
import { defaultTimeouts, type Timeouts } from '../../../src/transports/http/timeouts.ts';
import {
  departed,
  makeAnswer,
  makeReceived,
  requestHead,
  startTransport,
  type TestTransport,
} from '../rest/fake-engine.ts';

const SOON_MS = 200;
const never: Timeouts = {
  ...{ headersMs: 250_000, requestMs: 250_000, keepAliveMs: 250_000, stallMs: 250_000, stopMs: 250_000 },
};

let transport: TestTransport;
let socket: Socket;
const open = async (timeouts: Partial<Timeouts>, verbs: Parameters<typeof startTransport>[0] = {}) => {
  transport = await startTransport({ ...verbs }, { ...never, ...timeouts });
  socket = connect(Number(new URL(transport.url).port), '127.0.0.1');
  socket.on('error', () => {});
  await once(socket, 'connect');
};
/** Everything that came until the connection ended. */
const readToEnd = async () => {
  let text = '';
  socket.setEncoding('utf8').on('data', (chunk: string) => {
    text += chunk;
  });
  await once(socket, 'close');
  return text;
};
const publishHead = requestHead('/v1/topics/t/messages').replace('Content-Length: 0', 'Content-Length: 1000');
const REQUEST_TIMEOUT = /^HTTP\/1\.1 408 .*connection: close.*"code":"request_timeout"/s;

describe('a client', () => {
  afterEach(async () => {
    // Whatever a client did, the service is well.
    expect((await transport.client.get('/healthz')).status).toBe(200);
    expect(transport.errors).toEqual([]);
    socket.destroy();
    await transport.stop();
  });

  it('whose headers do not end is answered 408, and its connection closed', async () => {
    await open({ headersMs: SOON_MS });
    socket.write('GET /v1/topics HTTP/1.1\r\nHost: t\r\n');
    expect(await readToEnd()).toMatch(REQUEST_TIMEOUT);
  });

  it('that sends nothing at all is answered 408 too', async () => {
    await open({ headersMs: SOON_MS });
    expect(await readToEnd()).toMatch(REQUEST_TIMEOUT);
  });

  it('whose body takes too long is answered 408, and nothing is published', async () => {
    await open({ headersMs: SOON_MS, requestMs: SOON_MS });
    socket.write(`${publishHead}{"messages":[`);
    expect(await readToEnd()).toMatch(REQUEST_TIMEOUT);
  });

  it('whose body stalls is answered 408, long before it would take too long', async () => {
    await open({ stallMs: SOON_MS });
    socket.write(`${publishHead}{"messages":[`);
    expect(await readToEnd()).toMatch(REQUEST_TIMEOUT);
  });

  it('that asks for nothing more has its connection closed without a word', async () => {
    await open({ keepAliveMs: SOON_MS });
    socket.write('GET /healthz HTTP/1.1\r\nHost: t\r\n\r\n');
    const answers = await readToEnd();
    expect(answers).toMatch(/^HTTP\/1\.1 200 /);
    expect(answers.match(/HTTP\/1\.1/g)).toHaveLength(1);
  });

  it('that stops reading its answer loses its connection, and its answer is counted as lost', async () => {
    const lost = Promise.withResolvers<void>();
    await open(
      { stallMs: SOON_MS },
      {
        // More than the buffers of both ends of a connection hold.
        receive: async () => makeAnswer([makeReceived({ body: Buffer.alloc(64 * 1024 * 1024, 'x') })], lost.resolve),
      },
    );
    socket.pause();
    socket.write(requestHead('/v1/subscriptions/s/receive'));
    await lost.promise;
  });

  it('that pipelines half a request behind one that is under way gets no answer in its place', async () => {
    const asked = Promise.withResolvers<void>();
    await open(
      { headersMs: SOON_MS },
      {
        receive: ({ signal }) => {
          asked.resolve();
          return departed(signal).then(() => makeAnswer());
        },
      },
    );
    socket.write(requestHead('/v1/subscriptions/s/receive'));
    await asked.promise;
    socket.write(`${requestHead('/v1/subscriptions/s/receive')}GET /v1/topics HTTP/1.1\r\n`);
    expect(await readToEnd()).toBe('');
  });
});

describe('the times', () => {
  it('let a parked receive be silent for as long as it may wait', () => {
    expect(defaultTimeouts.stallMs).toBeGreaterThan(limits.waitSecondsMax * 1000 + 5_000);
    expect(defaultTimeouts.keepAliveMs).toBeGreaterThan(60_000);
  });
});
