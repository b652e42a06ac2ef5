// Sockets under connections: to notice that something arrives on one, and to cut one without
// asking the server, which may not answer.

import type { Socket } from 'node:net';
import type pg from 'pg';

/** The socket of a connection; also before it is connected. */
export function streamOf(client: pg.Client | pg.PoolClient): Socket {
  return (client as unknown as { connection: { stream: Socket } }).connection.stream;
}

/** Calls `onReceived` with each chunk on a pool's connections; `cutAll` ends them all. */
export function followConnections(pool: pg.Pool, onReceived: () => void): { cutAll(): void } {
  const clients = new Set<pg.PoolClient>();
  pool.on('connect', (client) => {
    clients.add(client);
    streamOf(client).on('data', onReceived);
  });
  pool.on('remove', (client) => clients.delete(client));
  return {
    cutAll() {
      for (const client of clients) streamOf(client).destroy();
    },
  };
}
