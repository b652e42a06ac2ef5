// Connections of the pool as the store uses them. What PostgreSQL has committed but no synchronous standby has confirmed is
// not told as done, and a connection that may still be busy is not handed to the next caller.

import type pg from 'pg';
import { WillcallError } from '../domain/errors.ts';
import { isStatementOnly, toWillcallError } from './errors.ts';
import type { Watch } from './watch.ts';

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
export function createConnect(pool: pg.Pool, watch: Pick<Watch, 'wait' | 'doubt'>): () => Promise<Connection> {
  const unconfirmed = new WeakSet<object>();
  /** What fails because the database cannot be reached fails when it is known whether it is away: then others need not try. */
  const wait = <T>(begin: () => Promise<T>): Promise<T> =>
    watch.wait(begin).catch(async (error: unknown) => {
      if (toWillcallError(error).code === 'database_unavailable') await watch.doubt();
      throw error;
    });
  const take = async (): Promise<pg.PoolClient> => {
    let taken: Promise<pg.PoolClient> | undefined;
    const begin = () => {
      taken = pool.connect();
      return taken;
    };
    return wait(begin).catch((error: unknown) => {
      // Nobody is there any more to take one that comes late.
      taken?.then((late) => late.release()).catch(() => {});
      throw error;
    });
  };
  pool.on('connect', (client) => {
    client.on('notice', ({ routine }) => {
      if (routine === STANDBY_WAIT) unconfirmed.add(client);
    });
  });

  return async () => {
    const client = await take();
    let broken: Error | undefined;
    return {
      query: async (query, values) => {
        const result = await wait(() => ask(client, query, values)).catch((error: Error) => {
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
