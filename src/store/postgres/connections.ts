// Pool connections as the store uses them: bounded waits, standby confirmation, safe return.
// A commit that no synchronous standby has confirmed is not reported as done, and a connection
// that may still be busy is not handed to the next caller.

import type pg from 'pg';
import { WillcallError } from '../../domain/errors.ts';
import { keepsConnectionUsable, toWillcallError } from './errors.ts';
import type { HealthMonitor } from './health.ts';
import type { HotStatement, RunHot } from './hot-call.ts';

/** What Kysely and the hot statements need of a connection. */
export interface Connection {
  query(query: string, values?: readonly unknown[]): Promise<pg.QueryResult>;
  call(statement: HotStatement, values: readonly unknown[]): Promise<Record<string, unknown>[]>;
  release(): void;
}

/**
 * PostgreSQL's function that waits for the standby. A wait that an operator cancels ends with its
 * warning, and the commit is reported as done although a failover may lose it
 * (https://www.postgresql.org/docs/current/warm-standby.html). Texts of warnings are translated,
 * names of functions are not.
 */
const STANDBY_WAIT = 'SyncRepWaitForLSN';

/** Returns the function that takes a connection out of the pool; its caller releases it. */
export function createConnect(
  pool: pg.Pool,
  health: Pick<HealthMonitor, 'wait' | 'suspect'>,
  runHot: RunHot,
): () => Promise<Connection> {
  const unconfirmed = new WeakSet<object>();
  pool.on('connect', (client) => {
    client.on('notice', ({ routine }) => {
      if (routine === STANDBY_WAIT) unconfirmed.add(client);
    });
  });

  /** A lost connection is reported once the health is known, so that others need not try. */
  async function wait<T>(begin: () => Promise<T>): Promise<T> {
    try {
      return await health.wait(begin);
    } catch (error) {
      if (toWillcallError(error).code === 'database_unavailable') await health.suspect();
      throw error;
    }
  }

  async function take(): Promise<pg.PoolClient> {
    let taken: Promise<pg.PoolClient> | undefined;
    try {
      return await wait(() => {
        taken = pool.connect();
        return taken;
      });
    } catch (error) {
      // A connection that comes late goes back: its caller has been answered.
      taken?.then((late) => late.release()).catch(() => {});
      throw error;
    }
  }

  return async function connect() {
    const client = await take();
    let broken: Error | undefined;
    async function run<T>(begin: () => Promise<T>): Promise<T> {
      const result = await wait(begin).catch((error: Error) => {
        if (!keepsConnectionUsable(error)) broken = error;
        throw error;
      });
      if (!unconfirmed.delete(client)) return result;
      throw new WillcallError(
        'database_timeout',
        'The standby of the database did not confirm it: whether it will be kept is not known; try again.',
      );
    }
    return {
      query: (query, values) => run(() => client.query(query, (values ?? []).map(toParameter))),
      call: (statement, values) => run(() => runHot(client, statement, values)),
      release: () => client.release(broken),
    };
  };
}

/** pg writes dates to the millisecond. */
function toParameter(value: unknown): unknown {
  return value instanceof Date ? value.toISOString() : value;
}
