// The composition: database, migrations, admin key, store, engine, jobs, transports, started in
// this order and stopped in the reverse one. A start that fails half-way stops what it had started.
// main.ts gives it settings and signals.

import { type AdminKey, openAdminKey } from './admin-key.ts';
import type { Config } from './config.ts';
import type { Logger } from './domain/logger.ts';
import { startEmbeddedPostgres } from './embedded/index.ts';
import { ByteBudget } from './engine/fair-use/byte-budget.ts';
import { createEngine } from './engine/index.ts';
import { createScheduler } from './jobs/scheduler.ts';
import { createStore, type Store } from './store/index.ts';
import { migrate } from './store/schema/migrate.ts';
import { createTransports } from './transports/index.ts';

/** A running service. */
export interface Willcall {
  /** Where the first transport listens. */
  readonly url: string;
  readonly adminKey: AdminKey;
  /** Where the data is, in words for a person; without credentials. */
  readonly database: string;
  /** Refuses new work, answers parked calls, finishes the rest, and stops; repeated calls join. */
  stop(): Promise<void>;
}

interface Database {
  /** For migrations: the owner, past any pooler. */
  readonly ownerUrl: string;
  /** Where the service logs in; to be asked for when the migrations are done. */
  openUrl(): Promise<string>;
  readonly directUrl: string | null;
  /** The role the service takes on after login; null when the login itself is the service's. */
  readonly runtimeRole: string | null;
  readonly description: string;
  stop(): Promise<void>;
}

/** Starts everything; resolves when the transports take requests. */
export async function startWillcall(config: Config, logger: Logger): Promise<Willcall> {
  const started: (() => Promise<void>)[] = [];
  const stopAll = () => stopInReverse(started);
  try {
    const adminKey = await openAdminKey(config.adminKey, config.dataDir);
    if (adminKey.isExposed) {
      logger.warn({ path: adminKey.path }, 'others may read the admin key: chmod 600, and replace it if they have');
    }
    const database = await openDatabase(config, logger);
    started.push(database.stop);
    const log = (line: string) => logger.info({ module: 'store' }, line);
    await migrate({ ownerUrl: database.ownerUrl, schema: config.schema, runtimeRole: config.runtimeRole, log });
    const databaseUrl = await database.openUrl();
    const url = await startModules({ config, logger, database, databaseUrl, adminKey: adminKey.key }, started);
    let stopping: Promise<void> | undefined;
    const stop = () => {
      stopping ??= stopAll();
      return stopping;
    };
    return { url, adminKey, database: database.description, stop };
  } catch (error) {
    await stopAll().catch((err: unknown) => logger.error({ err }, 'stopping after a failed start failed too'));
    throw error;
  }
}

/** Continues after a failure, which it throws at the end: the database is stopped in any case. */
async function stopInReverse(started: (() => Promise<void>)[]): Promise<void> {
  const failures: unknown[] = [];
  for (const stop of started.splice(0).reverse()) await stop().catch((error: unknown) => failures.push(error));
  if (failures.length > 0) throw failures[0];
}

interface ModuleDeps {
  readonly config: Config;
  readonly logger: Logger;
  readonly database: Database;
  readonly databaseUrl: string;
  readonly adminKey: string;
}

/** Each module started leaves behind how to stop it. */
async function startModules(deps: ModuleDeps, started: (() => Promise<void>)[]): Promise<string> {
  const { config, logger, database, databaseUrl, adminKey } = deps;
  const store = createStore({
    url: databaseUrl,
    schema: config.schema,
    runtimeRole: database.runtimeRole,
    connectionsMax: config.databaseConnectionsMax,
    directUrl: database.directUrl,
    logger,
  });
  started.push(() => store.stop());
  await checkRights(store, config, logger);
  const byteBudget = new ByteBudget({ bytesMax: config.fairUse.trafficBytes });
  const engine = createEngine({ store, logger, adminKey, byteBudget, fairUse: config.fairUse });
  const scheduler = createScheduler({ upkeep: engine.upkeep, logger });
  const settings = config.transports;
  const [first, ...others] = createTransports({ engine, logger, byteBudget, settings });
  // The transports refuse new requests at once; stopping the engine answers what is still parked.
  started.push(async () => {
    const closed = Promise.all([first, ...others].map((each) => each.stop()));
    await scheduler.stop();
    await Promise.all([engine.stop(), closed]);
    await engine.drained();
  });
  await engine.start();
  scheduler.start();
  for (const other of others) await other.start();
  return first.start();
}

/** Refuses a login that cannot do the work, and says so when one could alter the ledger. */
async function checkRights(store: Store, config: Config, logger: Logger): Promise<void> {
  const { role, complete, altersLedger, loginOwnsLedger } = await store.checkRights();
  if (!complete) {
    throw new Error(
      `The database role "${role}" may not use the schema ${config.schema}: as an administrator, run ` +
        `grant "${config.runtimeRole}" to "${role}";`,
    );
  }
  if (altersLedger) {
    logger.warn({ role }, 'this database role may alter the ledger; see docs/operations.md, "The two roles"');
  } else if (loginOwnsLedger) {
    logger.info({ role }, 'the login behind this role owns the ledger; see docs/operations.md, "The two roles"');
  }
}

async function openDatabase(config: Config, logger: Logger): Promise<Database> {
  if (config.databaseUrl === null) {
    const log = (line: string) => logger.info({ module: 'embedded' }, line);
    const postgres = await startEmbeddedPostgres({ dataDir: config.dataDir, log });
    return {
      ownerUrl: postgres.localUrl,
      openUrl: () => postgres.openServiceUrl(config.runtimeRole),
      directUrl: null,
      runtimeRole: config.runtimeRole,
      description: `${postgres.dataDir} (PostgreSQL ${postgres.version})`,
      stop: () => postgres.stop(),
    };
  }
  const { databaseUrl } = config;
  const { host, pathname } = new URL(databaseUrl);
  return {
    ownerUrl: config.databaseOwnerUrl ?? config.databaseDirectUrl ?? databaseUrl,
    openUrl: async () => databaseUrl,
    directUrl: config.databaseDirectUrl,
    runtimeRole: config.databaseOwnerUrl === null ? config.runtimeRole : null,
    description: `PostgreSQL at ${host}${pathname}, schema ${config.schema}`,
    stop: async () => {},
  };
}
