// The service's database: its own embedded PostgreSQL, or the one that the settings name.
// Opening it brings the schema up to date. A store on it is checked before anything uses it.

import type { Config } from './config.ts';
import type { Logger } from './domain/logger.ts';
import type { Observer } from './domain/observer.ts';
import { startEmbeddedPostgres } from './embedded/index.ts';
import { createStore, type Store } from './store/index.ts';
import { DatabaseSetupError } from './store/postgres/session.ts';
import { migrate } from './store/schema/migrate.ts';

/** A database with this version's schema. */
export interface Database {
  /** Opens no connection yet. */
  createStore(observer: Observer): Store;
  /** Where the data is, in words for a person; without credentials. */
  readonly description: string;
  /** Resolves when an embedded PostgreSQL has ended for good; never for another. */
  readonly givenUp: Promise<Error>;
  /** Stops the embedded PostgreSQL, and nothing else. */
  stop(): Promise<void>;
}

/** How to reach a database. */
interface Access {
  /** For migrations: the owner, past any pooler. */
  readonly ownerUrl: string;
  /** The login that the service will use, where it is known before. */
  readonly serviceLogin?: string;
  /** Where the service logs in; to be called when the migrations are done. */
  openUrl(): Promise<string>;
  readonly directUrl: string | null;
  /** The role to take on after login; null when the login itself is the service's. */
  readonly runtimeRole: string | null;
  readonly description: string;
  readonly givenUp: Promise<Error>;
  stop(): Promise<void>;
}

/** Opens the database and migrates it; stops what it started when that fails. */
export async function openDatabase(config: Config, logger: Logger): Promise<Database> {
  const { schema, runtimeRole } = config;
  const access =
    config.databaseUrl === null ? await openEmbedded(config, logger) : useGiven(config, config.databaseUrl);
  try {
    const log = (line: string) => logger.info({ module: 'store' }, line);
    const { ownerUrl, serviceLogin } = access;
    await migrate({ ownerUrl, schema, runtimeRole, serviceLogin, log });
    const url = await access.openUrl();
    return {
      description: access.description,
      givenUp: access.givenUp,
      stop: () => access.stop(),
      createStore: (observer) =>
        createStore({
          url,
          schema,
          runtimeRole: access.runtimeRole,
          connectionsMax: config.databaseConnectionsMax,
          pooler: config.databasePooler,
          directUrl: access.directUrl,
          logger,
          observer,
        }),
    };
  } catch (error) {
    await access.stop().catch((err: unknown) => logger.error({ err }, 'stopping after a failed start failed too'));
    throw error;
  }
}

/**
 * Throws a DatabaseSetupError when sessions lack settings or the login lacks rights, and warns when
 * it could alter the ledger.
 */
export async function checkDatabase(store: Store, config: Config, logger: Logger): Promise<void> {
  const { role, complete, altersLedger, loginOwnsLedger } = await store.checkRights();
  if (!complete) {
    throw new DatabaseSetupError(
      `The database role "${role}" may not use the schema ${config.schema}: as an administrator, run ` +
        `grant "${config.runtimeRole}" to "${role}";`,
    );
  }
  await store.checkSession();
  if (altersLedger) {
    logger.warn({ role }, 'this database role may alter the ledger; see docs/operations.md, "The two roles"');
  } else if (loginOwnsLedger) {
    logger.info({ role }, 'the login behind this role owns the ledger; see docs/operations.md, "The two roles"');
  }
}

async function openEmbedded(config: Config, logger: Logger): Promise<Access> {
  const log = (line: string) => logger.info({ module: 'embedded' }, line);
  const warn = (line: string) => logger.warn({ module: 'embedded' }, line);
  const postgres = await startEmbeddedPostgres({ dataDir: config.dataDir, log, warn });
  return {
    ownerUrl: postgres.localUrl,
    openUrl: () => postgres.openServiceUrl(config.runtimeRole),
    directUrl: null,
    runtimeRole: config.runtimeRole,
    description: `${postgres.dataDir} (PostgreSQL ${postgres.version})`,
    givenUp: postgres.givenUp,
    stop: () => postgres.stop(),
  };
}

function useGiven(config: Config, databaseUrl: string): Access {
  const { host, pathname, username } = new URL(databaseUrl);
  // A pooler would keep a role that was taken on for whoever comes next.
  const takesRole = config.databaseOwnerUrl === null && config.databasePooler === 'none';
  return {
    ownerUrl: config.databaseOwnerUrl ?? config.databaseDirectUrl ?? databaseUrl,
    serviceLogin: decodeURIComponent(username),
    openUrl: async () => databaseUrl,
    directUrl: config.databaseDirectUrl,
    runtimeRole: takesRole ? config.runtimeRole : null,
    description: `PostgreSQL at ${host}${pathname}, schema ${config.schema}`,
    givenUp: new Promise(() => {}),
    stop: async () => {},
  };
}
