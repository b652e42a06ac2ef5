// Sessions of the database's owner that hold up what an instance does, and a look at who waits for
// whom, so that a race can be run in one order and in the other. Whoever waits for a lock gets it
// in the order of asking.

import { Client, type QueryResultRow } from 'pg';
import { vi } from 'vitest';
import type { TestDatabase } from './database.ts';

/** A lock class of the hot functions (migrations/functions/locks.sql). */
export type LockClass = 'topic' | 'receive' | 'settle';

export interface Owner {
  /** Rows of one statement; 64-bit integers and instants come as text. */
  rows<Row extends QueryResultRow>(text: string, values?: unknown[]): Promise<Row[]>;
  /** Begins a transaction and takes the advisory lock. */
  hold(lock: LockClass, id: number): Promise<void>;
  /**
   * Begins a transaction with a statement whose row locks and unfinished keys stand in others' way.
   */
  obstruct(text: string, values?: unknown[]): Promise<void>;
  /** Rolls the transaction back, so that nothing of it was ever there. */
  letGo(): Promise<void>;
  /**
   * Resolves once exactly so many sessions of the service wait for a lock, be it an advisory one or
   * another's row. A shared flush that waits for an advisory one is not counted: it does so for a
   * moment only, and its key then waits alone.
   */
  seeWaiting(count: number): Promise<void>;
  /** Resolves once the condition holds. */
  see(condition: string, values?: unknown[]): Promise<void>;
  end(): Promise<void>;
}

/** Takes a lock of the class by its one parameter, the id, as the service's functions do. */
export function takeLockText(lock: LockClass): string {
  return `select willcall.take_lock(willcall.lock_${lock}(), $1::integer)`;
}

const LOOK_MS = 2;
const LOOKS_MS_MAX = 90_000;

/** A session of the owner; to be ended by the test that asked for it. */
export async function openOwner(database: TestDatabase): Promise<Owner> {
  // Its own transaction must not keep it from looking, so it looks on another connection.
  const holder = await connect(database);
  const looker = await connect(database);
  const rows = async <Row extends QueryResultRow>(text: string, values: unknown[] = []) =>
    (await looker.query<Row>(text, values)).rows;
  const see = (condition: string, values: unknown[] = []) =>
    vi.waitFor(
      async () => {
        const [row] = await rows<{ seen: boolean }>(`select (${condition}) as seen`, values);
        if (row?.seen !== true) throw new Error(`not seen: ${condition}`);
      },
      { interval: LOOK_MS, timeout: LOOKS_MS_MAX },
    );
  const obstruct = async (text: string, values: unknown[] = []) => {
    await holder.query('begin');
    await holder.query(text, values);
  };

  return {
    ...{ rows, see, obstruct },
    hold: (lock, id) => obstruct(takeLockText(lock), [id]),
    letGo: async () => void (await holder.query('rollback')),
    seeWaiting: (count) =>
      see(
        `(
          select count(distinct l.pid)
          from pg_locks l
          join pg_stat_activity a using (pid)
          where not l.granted and a.datname = current_database() and a.application_name = 'willcall'
            and not (l.locktype = 'advisory' and a.query like '%\\_plain(%')
        ) = $1`,
        [count],
      ),
    end: async () => {
      await holder.end();
      await looker.end();
    },
  };
}

async function connect(database: TestDatabase): Promise<Client> {
  const client = new Client({ connectionString: database.url, application_name: 'test' });
  // One that is ended from outside says so at its next statement.
  client.on('error', () => {});
  await client.connect();
  return client;
}
