// A migrated database of its own with a store on it, engines over that, and the owner's view for
// setting scenes: rows that are looked at or changed by hand, sessions that hold a lock or a
// snapshot, and time that passes at a word.

import { Client, type QueryResultRow, types } from 'pg';
import type { Logger } from '../../src/domain/logger.ts';
import { createEngine } from '../../src/engine/index.ts';
import { createStore, type Store } from '../../src/store/index.ts';
import { createTestDatabase, type TestDatabase } from './database.ts';
import { type TendedEngine, withUpkeep } from './upkeep.ts';

export type TestEngine = TendedEngine;

/** A session of the owner's; 64-bit integers come as numbers. */
export interface Session {
  rows<Row extends QueryResultRow>(text: string, values?: unknown[]): Promise<Row[]>;
  /** The one value of the one row. */
  value<T>(text: string, values?: unknown[]): Promise<T>;
  pid: number;
  end(): Promise<void>;
}

export interface StoreBench extends Pick<Session, 'rows' | 'value'> {
  database: TestDatabase;
  store: Store;
  /** What the rooms logged at `warn` or above, as messages. */
  complaints: string[];
  /** Another store on the same database, as a second instance has it. */
  openStore(): Store;
  /**
   * An engine that is not started: nothing runs but what is called. Over `store` unless told
   * otherwise.
   */
  openEngine(store?: Store): TestEngine;
  /** One more session; ended with the bench at the latest. */
  openSession(): Promise<Session>;
  /**
   * Moves every recorded instant so many seconds into the past. What an engine remembers does not
   * move.
   */
  letTimePass(seconds: number): Promise<void>;
  /** Removes every topic and all that belongs to one; names and numbers are not used again. */
  clear(): Promise<void>;
  stop(): Promise<void>;
}

const INT8 = 20;

/** To be made in beforeAll and stopped in afterAll. */
export async function openStoreBench(): Promise<StoreBench> {
  const database = await createTestDatabase();
  const complaints: string[] = [];
  const logger = createRecorder(complaints);
  const stops: (() => Promise<void>)[] = [];
  const openSession = async () => {
    const session = await connect(database.url);
    stops.push(session.end);
    return session;
  };
  const openStore = () => {
    const options = { schema: 'willcall', runtimeRole: 'willcall_runtime', connectionsMax: 8, logger };
    const store = createStore({ url: database.url, ...options });
    stops.push(() => store.stop());
    return store;
  };
  const session = await openSession();
  const store = openStore();
  return {
    ...{ database, store, complaints, openStore, openSession },
    rows: session.rows,
    value: session.value,
    openEngine(over = store) {
      const engine = withUpkeep(createEngine({ store: over, logger }));
      stops.push(() => engine.stop());
      return engine;
    },
    letTimePass: (seconds) => passTime(session, seconds),
    clear: () => clear(session),
    async stop() {
      for (const stop of stops.reverse()) await stop();
      await database.drop();
    },
  };
}

async function connect(url: string): Promise<Session> {
  const client = new Client({
    connectionString: url,
    application_name: 'test',
    types: { getTypeParser: (oid, format) => (oid === INT8 ? Number : types.getTypeParser(oid, format)) },
  });
  // A test may end a session from outside.
  client.on('error', () => {});
  await client.connect();
  const rows = async <Row extends QueryResultRow>(text: string, values: unknown[] = []) =>
    (await client.query<Row>(text, values)).rows;
  const value = async <T>(text: string, values?: unknown[]) => {
    const [row] = await rows(text, values);
    return Object.values(row ?? {})[0] as T;
  };
  let ending: Promise<void> | undefined;
  const end = () => {
    ending ??= client.end().catch(() => {});
    return ending;
  };
  return { rows, value, end, pid: await value<number>('select pg_backend_pid()') };
}

async function clear(session: Session): Promise<void> {
  const tables = await session.value<string>(
    `select string_agg(c.oid::regclass::text, ', ') from pg_class c
     join pg_attribute a on a.attrelid = c.oid and a.attname = 'topic_id'
     where c.relnamespace = 'willcall'::regnamespace and c.relkind = 'r'`,
  );
  await session.rows(`truncate ${tables}`);
}

async function passTime(session: Session, seconds: number): Promise<void> {
  const columns = await session.rows<{ table: string; sets: string }>(
    `select c.oid::regclass::text as table,
       string_agg(format('%1$I = %1$I - %2$L::interval', a.attname, $1 || ' seconds'), ', ') as sets
     from pg_class c
     join pg_attribute a on a.attrelid = c.oid and a.atttypid = 'timestamptz'::regtype and not a.attisdropped
     where c.relnamespace = 'willcall'::regnamespace and c.relkind = 'r' and c.relname not in ('function_text', 'migration')
     group by c.oid`,
    [seconds],
  );
  await session.rows('begin');
  for (const { table, sets } of columns) await session.rows(`update ${table} set ${sets}`);
  await session.rows('commit');
}

function createRecorder(complaints: string[]): Logger {
  const ignore = () => {};
  const complain = (_fields: object, message: string) => complaints.push(message);
  return { debug: ignore, info: ignore, warn: complain, error: complain };
}
