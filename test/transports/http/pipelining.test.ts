// Several requests at once on one connection: each is a request of its own, and the answers come in
// the order of the requests.

import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { afterEach, describe, expect, it } from 'vitest';
import { WillcallError } from '../../../src/domain/errors.ts';
import type { ReceiveAnswer } from '../../../src/engine/receive.ts';
import type { CallerSignal } from '../../../src/engine/waiting/abort-signal.ts';
import { makeAnswer, makeReceived, requestHead, startTransport, type TestTransport } from '../rest/fake-engine.ts';

let transport: TestTransport;
let socket: Socket;
afterEach(async () => {
  socket.destroy();
  await transport.stop();
});

/** A transport whose receives wait until the test answers them. */
const openParkingTransport = async () => {
  const parked: PromiseWithResolvers<ReceiveAnswer>[] = [];
  transport = await startTransport({
    receive: () => {
      const answer = Promise.withResolvers<ReceiveAnswer>();
      parked.push(answer);
      return answer.promise;
    },
  });
  socket = connect(Number(new URL(transport.url).port), '127.0.0.1');
  await once(socket, 'connect');
  let text = '';
  socket.setEncoding('utf8').on('data', (chunk: string) => {
    text += chunk;
  });
  return { parked, answers: () => text.match(/HTTP\/1\.1 \d+|receipt-\d/g) ?? [] };
};
const receive = requestHead('/v1/subscriptions/s/receive');
const answerWith = (receipt: string): ReceiveAnswer => makeAnswer([makeReceived({ receipt })]);

describe('pipelined requests', () => {
  it('reach the engine together, so that each counts, and are answered in their order', async () => {
    const { parked, answers } = await openParkingTransport();
    socket.write(receive.repeat(3));
    await expect.poll(() => parked.length).toBe(3);
    parked[2]?.reject(new WillcallError('too_many_receives', 'Too many.'));
    parked[1]?.resolve(answerWith('receipt-2'));
    expect(answers()).toEqual([]);
    parked[0]?.resolve(answerWith('receipt-1'));
    await expect.poll(answers).toEqual(['HTTP/1.1 200', 'receipt-1', 'HTTP/1.1 200', 'receipt-2', 'HTTP/1.1 429']);
  });

  it('of other calls wait behind a receive that is parked in front of them', async () => {
    const { parked, answers } = await openParkingTransport();
    socket.write(`${receive}GET /healthz HTTP/1.1\r\nHost: test\r\n\r\n${requestHead('/v1/nowhere')}`);
    await expect.poll(() => parked.length).toBe(1);
    // Somebody else's are answered meanwhile.
    expect((await transport.client.get('/healthz')).status).toBe(200);
    expect(answers()).toEqual([]);
    parked[0]?.resolve(answerWith('receipt-1'));
    await expect.poll(answers).toEqual(['HTTP/1.1 200', 'receipt-1', 'HTTP/1.1 200', 'HTTP/1.1 404']);
  });

  it('are all told to the engine when their client hangs up', async () => {
    const signals: CallerSignal[] = [];
    const answer = Promise.withResolvers<ReceiveAnswer>();
    transport = await startTransport({
      receive: ({ signal }) => {
        signals.push(signal);
        return answer.promise;
      },
    });
    socket = connect(Number(new URL(transport.url).port), '127.0.0.1');
    socket.write(receive.repeat(3));
    await expect.poll(() => signals.length).toBe(3);
    socket.destroy();
    await expect.poll(() => signals.filter(({ aborted }) => aborted).length).toBe(3);
    answer.resolve(makeAnswer());
  });
});
