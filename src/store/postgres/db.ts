// The connection pool and its two interfaces: prepared hot statements, and Kysely for the rest.
// A statement that certainly did nothing (deadlock, serialization failure, lock time-out) is tried
// again here, a bounded number of times. A statement whose connection was lost is not, because
// its effect is not known.

import { CamelCasePlugin, Kysely, PostgresDialect, type PostgresPool, WithSchemaPlugin } from 'kysely';
import pg from 'pg';
import type { Logger } from '../../domain/logger.ts';
import { localize } from '../schema/migration-files.ts';
import { createConnect } from './connections.ts';
import { describeError, isRetryable, toWillcallError } from './errors.ts';
import { type DatabaseHealth, HealthMonitor } from './health.ts';
import { type ColumnReaders, createHotRunner, type HotStatement } from './hot-call.ts';
import { createProbe } from './probe.ts';
import { createRandom64, type Random64 } from './random.ts';
import { completeSession, type SessionOptions, sessionConfig, withParsers } from './session.ts';
import { followConnections } from './streams.ts';
import type { Tables } from './tables.ts';
import { createTypeParser } from './types.ts';

const TRIES_MAX = 5;
const RETRY_PAUSE_MS = 10;

export interface DbOptions extends SessionOptions {
  readonly schema: string;
  readonly connectionsMax: number;
  readonly logger: Logger;
}

export interface Db {
  readonly schema: string;
  readonly health: DatabaseHealth;
  readonly random64: Random64;
  /** Makes a hot statement out of a text that is written against the schema `willcall`. */
  prepare(name: string, text: string, readers?: ColumnReaders): HotStatement;
  /** Runs a hot statement; throws WillcallError. */
  call<Row>(statement: HotStatement, values: unknown[]): Promise<Row[]>;
  /** Runs several statements of one transaction, tried again as a whole; throws WillcallError. */
  transaction<T>(work: (trx: Kysely<Tables>) => Promise<T>): Promise<T>;
  /** Runs a query built with Kysely; throws WillcallError. */
  run<T>(query: (kysely: Kysely<Tables>) => Promise<T>): Promise<T>;
  stop(): Promise<void>;
}

/** `onAvailable` is called when the database is available again. Opens no connection yet. */
export function createDb(options: DbOptions, onAvailable = () => {}): Db {
  const parserOf = createTypeParser();
  const pool = new pg.Pool({
    ...withParsers(sessionConfig(options), parserOf),
    max: options.connectionsMax,
    onConnect: (client: pg.ClientBase) => completeSession(client, options.pooler),
  });
  const health = createHealthMonitor(pool, options, onAvailable);
  logLostConnections(pool, health, options.logger);
  // A connection that dies under a statement fails that statement. pg also emits an error on the
  // connection itself, and one without a listener would end the process.
  pool.on('connect', (client) => client.on('error', () => {}));
  const connect = createConnect(pool, health, createHotRunner(parserOf, options.pooler));
  const call = async (statement: HotStatement, values: readonly unknown[]) => {
    const connection = await connect();
    return connection.call(statement, values).finally(() => connection.release());
  };
  const kysely = new Kysely<Tables>({
    // Our connections lack cursors alone, and nothing here uses them.
    dialect: new PostgresDialect({
      pool: { connect: connect as unknown as PostgresPool['connect'], end: () => pool.end() },
    }),
    // The names within a JSON value are its own: those of a message's attributes are the
    // publisher's.
    plugins: [new CamelCasePlugin({ maintainNestedObjectKeys: true }), new WithSchemaPlugin(options.schema)],
  });

  return {
    schema: options.schema,
    health,
    random64: createRandom64(),
    prepare: (name, text, readers = {}) => ({
      readers,
      name: `willcall_${name}`,
      text: localize(text, { schema: options.schema, runtimeRole: 'willcall_runtime' }),
    }),
    call: <Row>(statement: HotStatement, values: unknown[]) =>
      withRetries(async () => (await call(statement, values)) as Row[]),
    transaction: (work) => withRetries(() => kysely.transaction().execute(work)),
    run: (query) => withRetries(() => query(kysely)),
    stop: async () => {
      health.stop();
      await kysely.destroy();
    },
  };
}

/**
 * Logs that idle connections were lost, which the pool replaces: one line for all of a moment, and
 * none when the database turns out to be unavailable, which is logged already.
 */
function logLostConnections(pool: pg.Pool, health: HealthMonitor, logger: DbOptions['logger']): void {
  let connections = 0;
  const logUnlessUnavailable = async (error: Error) => {
    await health.suspect();
    if (health.isAvailable())
      logger.warn({ connections, ...describeError(error) }, 'idle database connections were lost');
    connections = 0;
  };
  pool.on('error', (error) => {
    connections += 1;
    if (connections === 1) void logUnlessUnavailable(error);
  });
}

/**
 * Follows the pool's connections, and cuts them when the database becomes unavailable: none of
 * them can be trusted then.
 */
function createHealthMonitor(pool: pg.Pool, options: DbOptions, onAvailable: () => void): HealthMonitor {
  const onReceived = () => health.noteReceived();
  const connections = followConnections(pool, onReceived);
  const queryElsewhere = async (): Promise<boolean> => {
    if (pool.idleCount === 0) return false;
    return pool.query('select 1').then(
      () => true,
      () => false,
    );
  };
  const connection = { ...sessionConfig(options), application_name: 'willcall probe' };
  const probe = createProbe({ connection, pooler: options.pooler, queryElsewhere, onReceived });
  const { logger } = options;
  const health = new HealthMonitor({ probe, logger, onUnavailable: connections.cutAll, onAvailable });
  return health;
}

async function withRetries<T>(work: () => Promise<T>): Promise<T> {
  for (let tried = 1; ; tried += 1) {
    try {
      return await work();
    } catch (error) {
      if (tried === TRIES_MAX || !isRetryable(error)) throw toWillcallError(error);
      await new Promise((resolve) => setTimeout(resolve, Math.random() * RETRY_PAUSE_MS * 2 ** tried));
    }
  }
}
