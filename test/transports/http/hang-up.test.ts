import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { afterEach, describe, expect, it } from 'vitest';
import type { ReceiveAnswer, ReceiveRequest } from '../../../src/engine/receive.ts';
import {
  departed,
  makeAnswer,
  makeReceived,
  requestHead,
  startTransport,
  type TestTransport,
} from '../rest/fake-engine.ts';

interface Parked {
  request: ReceiveRequest;
  answer: PromiseWithResolvers<ReceiveAnswer>;
}

let transport: TestTransport;
afterEach(() => transport.stop());

/**
 * A transport whose receives wait until the test answers them, and what it says of lost answers.
 */
const openParkingTransport = async () => {
  const received = Promise.withResolvers<Parked>();
  const { promise: isLost, resolve: lost } = Promise.withResolvers<void>();
  transport = await startTransport({
    receive: (request) => {
      const answer = Promise.withResolvers<ReceiveAnswer>();
      received.resolve({ request, answer });
      return answer.promise;
    },
  });
  return { received: received.promise, lost, isLost };
};
const ask = async (path: string): Promise<Socket> => {
  const socket = connect(Number(new URL(transport.url).port), '127.0.0.1');
  await once(socket, 'connect');
  socket.write(requestHead(path));
  return socket;
};

describe('a client that hangs up', () => {
  it.each(['receive', 'receive/raw'])('while its %s is parked is told to the engine', async (verb) => {
    const { received } = await openParkingTransport();
    const socket = await ask(`/v1/subscriptions/s/${verb}`);
    const { request, answer } = await received;
    expect(request.signal.aborted).toBe(false);
    socket.destroy();
    await departed(request.signal);
    answer.resolve(makeAnswer());
  });

  it.each(['receive', 'receive/raw'])('before its %s was answered has its answer counted as lost', async (verb) => {
    const { received, lost, isLost } = await openParkingTransport();
    const socket = await ask(`/v1/subscriptions/s/${verb}`);
    const { request, answer } = await received;
    socket.destroy();
    await departed(request.signal);
    answer.resolve(makeAnswer([makeReceived()], lost));
    await isLost;
  });

  it('with half of the answer read has it counted as lost', async () => {
    const { received, lost, isLost } = await openParkingTransport();
    const socket = await ask('/v1/subscriptions/s/receive');
    const { answer } = await received;
    // More than the buffers of both ends of a connection hold, so that the answer cannot be written
    // whole.
    answer.resolve(makeAnswer([makeReceived({ body: Buffer.alloc(64 * 1024 * 1024, 'x') })], lost));
    await once(socket, 'readable');
    socket.destroy();
    await isLost;
  });

  it('while another request of its connection is answered first is told to the engine too', async () => {
    const { received } = await openParkingTransport();
    const socket = await ask('/v1/subscriptions/s/receive');
    const { request, answer } = await received;
    socket.write(requestHead('/v1/subscriptions/s/receive'));
    socket.destroy();
    await departed(request.signal);
    answer.resolve(makeAnswer());
  });

  it('causes no error, whatever the engine says then', async () => {
    const { received } = await openParkingTransport();
    const socket = await ask('/v1/subscriptions/s/receive');
    const { request, answer } = await received;
    socket.destroy();
    await departed(request.signal);
    answer.reject(new DOMException('The caller has gone.', 'AbortError'));
    expect((await transport.client.call('GET', '/healthz')).status).toBe(200);
    expect(transport.errors).toEqual([]);
  });
});

describe('a client that stays', () => {
  it('keeps its messages, also when its connection ends later', async () => {
    const { received, lost, isLost } = await openParkingTransport();
    const socket = await ask('/v1/subscriptions/s/receive');
    const { request, answer } = await received;
    answer.resolve(makeAnswer([makeReceived()], lost));
    const [bytes] = (await once(socket, 'data')) as [Buffer];
    expect(bytes.toString()).toContain('receipt-1');
    socket.end();
    await once(socket, 'close');
    expect((await transport.client.call('GET', '/healthz')).status).toBe(200);
    expect(request.signal.aborted).toBe(false);
    expect(await Promise.race([isLost, 'not lost'])).toBe('not lost');
  });
});
