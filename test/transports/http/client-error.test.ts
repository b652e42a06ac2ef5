// Bytes that never become a request, each answered for what it is.

import { once } from 'node:events';
import { connect } from 'node:net';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { startTransport, type TestTransport } from '../rest/fake-engine.ts';

let transport: TestTransport;
beforeAll(async () => {
  transport = await startTransport({});
});
afterAll(() => transport.stop());

const send = async (bytes: string | Buffer): Promise<string> => {
  const socket = connect(Number(new URL(transport.url).port), '127.0.0.1');
  let text = '';
  socket.setEncoding('utf8').on('data', (chunk: string) => {
    text += chunk;
  });
  socket.on('error', () => {});
  socket.write(bytes);
  await once(socket, 'close');
  return text;
};
/** The beginning of what openssl s_client sends. */
const tlsHello = Buffer.from('160301013401000130030300', 'hex');

describe('bytes that are no request', () => {
  it.each([
    ['a method in lower case', 'post /healthz HTTP/1.1\r\nHost: t\r\n\r\n', 501, 'not_implemented', 'in capitals'],
    ['a method that nobody has', 'ZORK /healthz HTTP/1.1\r\nHost: t\r\n\r\n', 501, 'not_implemented', 'not known'],
    ['a TLS handshake', tlsHello, 400, 'malformed_request', 'plain HTTP'],
    ['garbage', 'GARBAGE\r\n\r\n', 400, 'malformed_request', 'not a well-formed'],
    ['garbage in lower case', 'zork\r\n\r\n', 400, 'malformed_request', 'not a well-formed'],
    [
      'a header line too long',
      `GET / HTTP/1.1\r\nX: ${'x'.repeat(40_000)}\r\n\r\n`,
      431,
      'headers_too_large',
      '2000 headers',
    ],
  ])('%s', async (_, bytes, status, code, words) => {
    const text = await send(bytes);
    expect(text).toMatch(new RegExp(`^HTTP/1.1 ${status} `));
    expect(text).toContain('content-type: application/problem+json');
    const problem = JSON.parse(text.slice(text.indexOf('{')));
    expect(problem).toMatchObject({ status, code });
    expect(problem.detail).toContain(words);
  });

  it('a method that Node knows and no path does is a 405', async () => {
    const text = await send('PROPFIND /healthz HTTP/1.1\r\nHost: t\r\nConnection: close\r\n\r\n');
    expect(text).toMatch(/^HTTP\/1.1 405 .*allow: GET, HEAD/s);
  });
});
