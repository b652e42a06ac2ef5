// The sockets under connections: to hear that something arrives on one, whatever it is, and to cut it without asking the other
// side, which may not answer.

import type { Socket } from 'node:net';
import type pg from 'pg';

/** What carries the bytes of a connection; before it is made, too. */
export function streamOf(client: pg.Client | pg.PoolClient): Socket {
  return (client as unknown as { connection: { stream: Socket } }).connection.stream;
}

/** The connections of a pool, to be heard and to be cut. */
export function followConnections(pool: pg.Pool, hear: () => void): { cutAll(): void } {
  const clients = new Set<pg.PoolClient>();
  pool.on('connect', (client) => {
    clients.add(client);
    streamOf(client).on('data', hear);
  });
  pool.on('remove', (client) => clients.delete(client));
  return {
    cutAll: () => {
      for (const client of clients) streamOf(client).destroy();
    },
  };
}
