// The connection pool and its two interfaces: prepared hot statements, and Kysely for the rest.
// A statement that certainly did nothing (deadlock, serialization failure, lock time-out) is tried
// again here, a bounded number of times. A statement whose connection was lost is not, because
// nobody knows whether it was done.

import { CamelCasePlugin, Kysely, PostgresDialect, type PostgresPool, WithSchemaPlugin } from 'kysely';
import pg from 'pg';
import type { Logger } from '../../domain/logger.ts';
import { localize } from '../schema/migration-files.ts';
import { createConnect } from './connections.ts';
import { isRetryable, toWillcallError } from './errors.ts';
import { type DatabaseHealth, HealthMonitor } from './health.ts';
import { type ColumnReaders, createHotRunner, type HotStatement } from './hot-call.ts';
import { createProbe } from './probe.ts';
import { createRandom64, type Random64 } from './random.ts';
import { followConnections } from './streams.ts';
import type { Tables } from './tables.ts';
import { createTypeParser, type TypeParser } from './types.ts';

const TRIES_MAX = 5;
const RETRY_PAUSE_MS = 10;
const STATEMENT_TIMEOUT_MS = 10_000;
const LOCK_TIMEOUT_MS = 3_000;
const CONNECT_TIMEOUT_MS = 2_000;
/** How long an answer may be overdue before its connection is given up. */
const ANSWER_TIMEOUT_MS = 15_000;

export interface DbOptions {
  readonly url: string;
  readonly schema: string;
  /** The role to take on after login; null keeps the login's own. */
  readonly runtimeRole: string | null;
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
  const pool = new pg.Pool({ ...connectionOptions(options, parserOf), max: options.connectionsMax });
  const health = createHealthMonitor(pool, options, onAvailable);
  // A connection that dies while idle is replaced; the next statement shows whether the database
  // is unavailable.
  pool.on('error', (err) => {
    if (health.isAvailable()) options.logger.warn({ err }, 'an idle database connection was lost');
  });
  // A connection that dies under a statement fails that statement. pg also emits an error on the
  // connection itself, and one without a listener would end the process.
  pool.on('connect', (client) => client.on('error', () => {}));
  const connect = createConnect(pool, health, createHotRunner(parserOf));
  const call = async (statement: HotStatement, values: readonly unknown[]) => {
    const connection = await connect();
    return connection.call(statement, values).finally(() => connection.release());
  };
  const kysely = new Kysely<Tables>({
    // Our connections lack cursors alone, and nothing here uses them.
    dialect: new PostgresDialect({
      pool: { connect: connect as unknown as PostgresPool['connect'], end: () => pool.end() },
    }),
    // The names within a JSON value are its own: those of a message's attributes are the publisher's.
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
  const connection = { ...connectionOptions(options), application_name: 'willcall probe' };
  const probe = createProbe({ connection, queryElsewhere, onReceived });
  const { logger } = options;
  const health = new HealthMonitor({ probe, logger, onUnavailable: connections.cutAll, onAvailable });
  return health;
}

/** What all connections of the service have in common, the listening one included. */
export function connectionOptions(
  options: Pick<DbOptions, 'url' | 'runtimeRole'>,
  parserOf?: TypeParser,
): pg.ClientConfig {
  return {
    connectionString: options.url,
    application_name: 'willcall',
    connectionTimeoutMillis: CONNECT_TIMEOUT_MS,
    statement_timeout: STATEMENT_TIMEOUT_MS,
    lock_timeout: LOCK_TIMEOUT_MS,
    query_timeout: ANSWER_TIMEOUT_MS,
    keepAlive: true,
    options: [
      // No JIT: hot statements are short, and compiling one costs more than running it.
      '-c jit=off',
      // An instance that vanished between two statements of a transaction must not hold its locks
      // longer than a statement may.
      `-c idle_in_transaction_session_timeout=${STATEMENT_TIMEOUT_MS}`,
      ...(options.runtimeRole === null ? [] : [`-c role=${options.runtimeRole}`]),
    ].join(' '),
    ...(parserOf && { types: { getTypeParser: parserOf } as unknown as pg.CustomTypesConfig }),
  };
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
