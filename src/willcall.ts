// The composition: address, admin key, database, store, engine, jobs, transports, started in this
// order and stopped in the reverse one. A start that fails half-way stops what it had started, and
// what can fail without leaving anything behind is tried first. main.ts gives settings and signals.

import type { Config } from './config.ts';
import { checkDatabase, type Database, openDatabase } from './database.ts';
import type { Logger } from './domain/logger.ts';
import { type Observer, silentObserver } from './domain/observer.ts';
import type { SecretKeys } from './domain/secrets.ts';
import { ByteBudget } from './engine/fair-use/byte-budget.ts';
import { createEngine } from './engine/index.ts';
import { openSecrets } from './engine/secrets.ts';
import { createScheduler } from './jobs/scheduler.ts';
import { type AdminKey, openAdminKey } from './secrets/admin-key.ts';
import { openSecretKeys } from './secrets/secret-key.ts';
import { createTransports, tryTransports } from './transports/index.ts';

/** A running service. */
export interface Willcall {
  /** Where the first transport listens. */
  readonly url: string;
  readonly adminKey: AdminKey;
  /** Where the data is, in words for a person; without credentials. */
  readonly database: string;
  /** Resolves to the reason when the service cannot go on, and should be stopped. */
  readonly failed: Promise<Error>;
  /** Refuses new work, answers parked calls, finishes the rest, and stops; repeated calls join. */
  stop(): Promise<void>;
}

/** Starts everything; resolves when the transports take requests. */
export async function startWillcall(
  config: Config,
  logger: Logger,
  observer: Observer = silentObserver,
): Promise<Willcall> {
  const started: (() => Promise<void>)[] = [];
  const stopAll = () => stopInReverse(started);
  try {
    await tryTransports(config.transports);
    const adminKey = await openAdminKey(config.adminKey, config.dataDir);
    const secretKeys = await openSecretKeys({
      ...config.secretKeys,
      dataDir: config.databaseUrl === null ? config.dataDir : null,
    });
    for (const path of [...(adminKey.isExposed ? [adminKey.path] : []), ...secretKeys.exposed]) {
      logger.warn({ path }, 'others may read this key: chmod 600, and replace it if they have');
    }
    const database = await openDatabase(config, logger);
    started.push(() => database.stop());
    const url = await startModules(
      { config, logger, observer, database, adminKey: adminKey.key, secretKeys: secretKeys.keys },
      started,
    );
    let stopping: Promise<void> | undefined;
    const stop = () => {
      stopping ??= stopAll();
      return stopping;
    };
    return { url, adminKey, database: database.description, failed: database.givenUp, stop };
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
  readonly observer: Observer;
  readonly database: Database;
  readonly adminKey: string;
  readonly secretKeys: SecretKeys | null;
}

/** Each module started leaves behind how to stop it. */
async function startModules(deps: ModuleDeps, started: (() => Promise<void>)[]): Promise<string> {
  const { config, logger, observer, database, adminKey, secretKeys } = deps;
  const store = database.createStore(observer);
  started.push(() => store.stop());
  await checkDatabase(store, config, logger);
  const secrets = await openSecrets(store, secretKeys, logger);
  const byteBudget = new ByteBudget({ bytesMax: config.fairUse.trafficBytes });
  const engine = createEngine({ store, logger, observer, adminKey, secrets, byteBudget, fairUse: config.fairUse });
  const scheduler = createScheduler({ upkeep: engine.upkeep, logger, observer });
  const settings = config.transports;
  const [first, ...others] = createTransports({ engine, logger, observer, byteBudget, settings });
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
