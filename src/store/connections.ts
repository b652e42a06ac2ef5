// Connections of the pool as the store uses them. What PostgreSQL has committed but no synchronous standby has confirmed is
// not told as done, and a connection that may still be busy is not handed to the next caller.

import type pg from 'pg';
import { WillcallError } from '../domain/errors.ts';
import { isStatementOnly } from './errors.ts';

/** What Kysely and the hot statements need of a connection. */
export interface Connection {
  query(query: string | pg.QueryConfig, values?: readonly unknown[]): Promise<pg.QueryResult>;
  release(): void;
}

/**
 * The function of PostgreSQL that waits for the standby. A wait that an operator cancels ends with its warning, and the commit is
 * reported as done although a failover may lose it (https://www.postgresql.org/docs/current/warm-standby.html).
 * Texts of warnings are translated, names of functions are not.
 */
const STANDBY_WAIT = 'SyncRepWaitForLSN';

/** How to take a connection out of the pool; to be released by who took it. */
export function createConnect(pool: pg.Pool): () => Promise<Connection> {
  const unconfirmed = new WeakSet<object>();
  pool.on('connect', (client) => {
    client.on('notice', ({ routine }) => {
      if (routine === STANDBY_WAIT) unconfirmed.add(client);
    });
  });

  return async () => {
    const client = await pool.connect();
    let broken: Error | undefined;
    return {
      query: async (query, values) => {
        const result = await ask(client, query, values).catch((error: Error) => {
          if (!isStatementOnly(error)) broken = error;
          throw error;
        });
        if (!unconfirmed.delete(client)) return result;
        throw new WillcallError(
          'database_timeout',
          'The standby of the database did not confirm it: whether it will be kept is not known; try again.',
        );
      },
      release: () => client.release(broken),
    };
  };
}

function ask(client: pg.PoolClient, query: string | pg.QueryConfig, values?: readonly unknown[]) {
  return typeof query === 'string' ? client.query(query, [...(values ?? [])]) : client.query(query);
}
