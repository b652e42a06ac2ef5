// The proxy that loses things, between two sockets of the test.

import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { startTcpProxy, type TcpProxy } from './tcp-proxy.ts';

let server: Server;
let proxy: TcpProxy;
let asked: string;
const open: Socket[] = [];

/** Answers each piece with the same in capitals. */
beforeEach(async () => {
  asked = '';
  server = createServer((socket) => {
    socket.on('error', () => {});
    socket.on('data', (piece) => {
      asked += piece.toString();
      socket.write(piece.toString().toUpperCase());
    });
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  proxy = await startTcpProxy({ host: '127.0.0.1', port: (server.address() as AddressInfo).port });
});
afterEach(async () => {
  for (const socket of open.splice(0)) socket.destroy();
  await proxy.close();
  server.close();
});

interface Caller {
  readonly socket: Socket;
  heard: string;
  over: boolean;
}

async function call(): Promise<Caller> {
  const socket = connect({ port: proxy.port, host: '127.0.0.1' });
  open.push(socket);
  const caller = { socket, heard: '', over: false };
  socket.on('error', () => {});
  socket.on('close', () => {
    caller.over = true;
  });
  socket.on('data', (piece) => {
    caller.heard += piece.toString();
  });
  await once(socket, 'connect');
  return caller;
}

it('carries bytes in order, there and back', async () => {
  const caller = await call();
  for (const word of ['one ', 'two ', 'three']) caller.socket.write(word);
  await expect.poll(() => caller.heard).toBe('ONE TWO THREE');
});

it('loses the answer and nothing of what was asked', async () => {
  const caller = await call();
  proxy.behave({ how: 'lose answers' });
  caller.socket.write('acknowledge');
  await expect.poll(() => caller.over).toBe(true);
  expect({ asked, heard: caller.heard }).toEqual({ asked: 'acknowledge', heard: '' });
});

it('holds everything while it stalls, and then lets it go in order', async () => {
  const [caller, other] = [await call(), await call()];
  proxy.behave({ how: 'stall' });
  caller.socket.write('one ');
  caller.socket.write('two');
  proxy.behave({ how: 'slow', delayMs: 20 });
  other.socket.write('other');
  await expect.poll(() => caller.heard).toBe('ONE TWO');
  await expect.poll(() => other.heard).toBe('OTHER');
  expect(caller.over).toBe(false);
});

it.each([{ reset: true }, { reset: false }])('cuts what is open, and serves who comes again ($reset)', async (how) => {
  const callers = [await call(), await call()];
  for (const caller of callers) caller.socket.write('hello');
  await expect.poll(() => callers.map(({ heard }) => heard)).toEqual(['HELLO', 'HELLO']);
  expect(proxy.cut(how)).toBe(2);
  await expect.poll(() => callers.map(({ over }) => over)).toEqual([true, true]);
  const again = await call();
  again.socket.write('again');
  await expect.poll(() => again.heard).toBe('AGAIN');
});

it('lets nobody in while it refuses', async () => {
  proxy.behave({ how: 'refuse' });
  const caller = await call();
  await expect.poll(() => caller.over).toBe(true);
  expect(asked).toBe('');
});

it('forgets connections that were there while it swallowed, and carries new ones again', async () => {
  const before = await call();
  proxy.behave({ how: 'swallow' });
  const during = await call();
  before.socket.write('a');
  during.socket.write('b');
  proxy.behave({ how: 'pass' });
  const after = await call();
  for (const { socket } of [before, during, after]) socket.write('c');
  await expect.poll(() => after.heard).toBe('C');
  expect([before.heard, during.heard, asked]).toEqual(['', '', 'c']);
  expect([before.over, during.over]).toEqual([false, false]);
});
