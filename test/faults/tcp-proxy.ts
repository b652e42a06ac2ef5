// A TCP proxy that misbehaves when told to: between clients and the service, and between the
// service and its database. It knows nothing of what it carries. Order within a connection and a
// direction is always kept, as TCP keeps it.

import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Socket } from 'node:net';

/**
 * pass: everything goes through. stall: nothing goes through until later, connections stay.
 * swallow: nothing goes through, and connections that were there meanwhile never carry anything
 * again. slow: every piece of bytes comes late. lose answers: what is asked goes through; the first
 * bytes of an answer are swallowed, and the connection is cut. refuse: new connections are closed
 * at once.
 */
export type Manner =
  | { readonly how: 'pass' | 'stall' | 'swallow' | 'lose answers' | 'refuse' }
  | { readonly how: 'slow'; readonly delayMs: number };

export interface TcpProxy {
  readonly port: number;
  /** Where connections go from now on. */
  target: { readonly host: string; readonly port: number };
  /** How it behaves from now on, to connections that exist, too. */
  behave(manner: Manner): void;
  /** Ends all connections that exist, with a reset or in order; returns how many. */
  cut(options?: { reset?: boolean }): number;
  close(): Promise<void>;
}

/**
 * So long after the first byte of an answer its connection is cut, so that both sides have really
 * lost it.
 */
const LOST_AFTER_MS = 15;

interface Link {
  readonly client: Socket;
  readonly server: Socket;
}

/** Listens on a free port of the loopback. */
export async function startTcpProxy(target: TcpProxy['target']): Promise<TcpProxy> {
  const links = new Set<Link>();
  const swallowed = new WeakSet<Link>();
  const state = {
    target,
    manner: { how: 'pass' } as Manner,
    changed: Promise.withResolvers<void>(),
  };

  /** Resolves when a piece may go on; false when it is lost. */
  const admit = async (link: Link, isAnswer: boolean): Promise<boolean> => {
    for (;;) {
      const { manner } = state;
      if (swallowed.has(link)) return false;
      switch (manner.how) {
        case 'stall':
          await state.changed.promise;
          continue;
        case 'slow':
          await Promise.race([pause(manner.delayMs), state.changed.promise]);
          return true;
        case 'lose answers':
          if (isAnswer) setTimeout(() => drop(link, true), LOST_AFTER_MS);
          return !isAnswer;
        default:
          return true;
      }
    }
  };

  const server = createServer((client) => {
    if (state.manner.how === 'refuse') {
      client.destroy();
      return;
    }
    const link = { client, server: connect({ ...state.target, noDelay: true }) };
    client.setNoDelay(true);
    if (state.manner.how === 'swallow') swallowed.add(link);
    links.add(link);
    carry(link.client, link.server, () => admit(link, false));
    carry(link.server, link.client, () => admit(link, true));
    for (const socket of [link.client, link.server]) {
      socket.on('error', () => drop(link, true));
      socket.on('close', () => {
        links.delete(link);
        drop(link, false);
      });
    }
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');

  return {
    port: (server.address() as AddressInfo).port,
    get target() {
      return state.target;
    },
    set target(next) {
      state.target = next;
    },
    behave(manner) {
      state.manner = manner;
      if (manner.how === 'swallow') for (const link of links) swallowed.add(link);
      const { resolve } = state.changed;
      state.changed = Promise.withResolvers<void>();
      resolve();
    },
    cut({ reset = true } = {}) {
      const count = links.size;
      for (const link of [...links]) drop(link, reset);
      return count;
    },
    async close() {
      for (const link of [...links]) drop(link, false);
      server.close();
      await once(server, 'close');
    },
  };
}

/** Carries one direction, piece by piece, and its end. */
function carry(from: Socket, to: Socket, admit: () => Promise<boolean>): void {
  let before: Promise<unknown> = Promise.resolve();
  const then = (next: () => unknown): void => {
    before = before.then(next);
  };
  from.on('data', (piece: Buffer) =>
    then(async () => {
      if (!(await admit()) || to.destroyed) return;
      if (!to.write(piece)) {
        from.pause();
        to.once('drain', () => from.resume());
      }
    }),
  );
  from.on('end', () =>
    then(async () => {
      if (await admit()) to.end();
    }),
  );
}

function drop({ client, server }: Link, reset: boolean): void {
  for (const socket of [client, server]) {
    if (reset && !socket.destroyed) socket.resetAndDestroy();
    else socket.destroy();
  }
}

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
