// Connections of the pool as the store uses them. What PostgreSQL has committed but no synchronous standby has confirmed is
// not told as done, and a connection that may still be busy is not handed to the next caller.

import type pg from 'pg';
import { WillcallError } from '../../domain/errors.ts';
import { isStatementOnly, toWillcallError } from './errors.ts';
import type { Watch } from './health.ts';
import { type HotStatement, runHot, type TypeParser } from './hot-call.ts';

/** What Kysely and the hot statements need of a connection. */
export interface Connection {
  query(query: string, values?: readonly unknown[]): Promise<pg.QueryResult>;
  call(statement: HotStatement, values: readonly unknown[]): Promise<Record<string, unknown>[]>;
  release(): void;
}

/**
 * The function of PostgreSQL that waits for the standby. A wait that an operator cancels ends with its warning, and the commit is
 * reported as done although a failover may lose it (https://www.postgresql.org/docs/current/warm-standby.html).
 * Texts of warnings are translated, names of functions are not.
 */
const STANDBY_WAIT = 'SyncRepWaitForLSN';

/** How to take a connection out of the pool; to be released by who took it. */
export function createConnect(
  pool: pg.Pool,
  watch: Pick<Watch, 'wait' | 'doubt'>,
  parserOf: TypeParser,
): () => Promise<Connection> {
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
    const ask = async <T>(begin: () => Promise<T>): Promise<T> => {
      const result = await wait(begin).catch((error: Error) => {
        if (!isStatementOnly(error)) broken = error;
        throw error;
      });
      if (!unconfirmed.delete(client)) return result;
      throw new WillcallError(
        'database_timeout',
        'The standby of the database did not confirm it: whether it will be kept is not known; try again.',
      );
    };
    return {
      query: (query, values) => ask(() => client.query(query, [...(values ?? [])])),
      call: (statement, values) => ask(() => runHot(client, statement, values, parserOf)),
      release: () => client.release(broken),
    };
  };
}
