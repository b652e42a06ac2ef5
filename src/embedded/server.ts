// Embedded server: its programs come from npm, its data lies in the data directory.
// The server outlives a killed service; the next start adopts it, or recovers what a killed server
// left. Nothing that was committed is lost either way. One service at a time per data directory,
// guarded by a lock in the database.

import { realpath } from 'node:fs/promises';
import { setTimeout as delay } from 'node:timers/promises';
import type { Client } from 'pg';
import { codeOf, messageOf } from '../store/schema/migration-error.ts';
import { type Binaries, findBinaries } from './binaries.ts';
import { CLUSTER_DATABASE, type Cluster, openCluster, removeDrafts } from './cluster.ts';
import { EmbeddedPostgresError } from './command.ts';
import { type ClusterAddress, clusterUrl, connectToCluster, holdDirectoryLock, type LockTarget } from './lock.ts';
import { renewServiceLogin } from './login.ts';
import {
  findSocketDir,
  isServing,
  readPostmaster,
  removeForeignPidFile,
  startPostmaster,
  stopPostmaster,
} from './postmaster.ts';
import { supervise } from './supervisor.ts';
import { chooseProcessUser } from './user.ts';

/** What to start. */
export interface EmbeddedPostgresOptions {
  /** Made when missing; holds the cluster (or a link to it), its password and its log. */
  dataDir: string;
  /** Server settings over our own, such as `{ fsync: 'off' }`. */
  settings?: Record<string, string>;
  /**
   * Where root keeps what the account of PostgreSQL must reach when it cannot enter root's own
   * directories.
   */
  sharedDir?: string;
  log?: (line: string) => void;
  /** For what an operator should notice; `log` unless given. */
  warn?: (line: string) => void;
}

/** A running server of ours. */
export interface EmbeddedPostgres {
  /** As its superuser. */
  url: string;
  /**
   * The same for processes of this machine and account, by the server's socket where it has one.
   */
  localUrl: string;
  /**
   * The way in for the running service: a login that is a member of the runtime role, which must
   * exist, and no more.
   */
  openServiceUrl(runtimeRole: string): Promise<string>;
  /** Where the cluster really is. */
  dataDir: string;
  version: string;
  /** Whether the server already ran, left behind by a service that was killed. */
  adopted: boolean;
  /** Resolves when the server has ended and cannot be started again, or lost its directory. */
  givenUp: Promise<EmbeddedPostgresError>;
  /** Stops the server in good order, within bounds; repeated calls join the first. */
  stop(): Promise<void>;
}

interface Start {
  cluster: Cluster;
  binaries: Binaries;
  settings: Record<string, string>;
  log: (line: string) => void;
  /** Whether a restart has become pointless. */
  isStopped?: () => boolean;
}

interface Connected {
  client: Client;
  target: LockTarget;
  adopted: boolean;
}

const SHARED_DIR = '/var/lib/willcall';
/** How long to try without any answer of a server; a recovering one answers that it recovers. */
const PATIENCE_MS = 20_000;
const RETRY_MS = 200;
/** Another start was faster, a killed server's processes still end, or the port was taken. */
const PASSING = /lock file|still in use|could not bind|could not create any/;
/** Any other refusal may be of another start that shares the log; it counts when repeated. */
const REFUSALS_MAX = 3;
const CANNOT_CONNECT_NOW = '57P03';
const INVALID_PASSWORD = '28P01';
const INVALID_CATALOG_NAME = '3D000';
/**
 * duplicate_database, unique_violation, object_in_use: another start creates it at this very
 * moment.
 */
const OVERTAKEN = new Set(['42P04', '23505', '55006']);

/**
 * Starts the cluster of a data directory, or takes over the server that already runs on it. Throws
 * an EmbeddedPostgresError with a sentence for the operator, also when another service has the
 * directory.
 */
export async function startEmbeddedPostgres(options: EmbeddedPostgresOptions): Promise<EmbeddedPostgres> {
  const log = options.log ?? (() => {});
  const settings = options.settings ?? {};
  const sharedDir = options.sharedDir ?? SHARED_DIR;
  const user = await chooseProcessUser();
  const binaries = await findBinaries(user, sharedDir);
  const sync = settings.fsync !== 'off';
  const cluster = await openCluster({ dataDir: options.dataDir, sharedDir, user, binaries, sync });
  const { client, target, adopted } = await connect({ cluster, binaries, settings, log });
  const { promise: givenUp, resolve: giveUp } = Promise.withResolvers<EmbeddedPostgresError>();
  const lock = await holdDirectoryLock(client, {
    target,
    onDisconnect: () => supervisor.check(),
    onTaken: giveUp,
  }).catch(async (error: unknown) => {
    await client.end().catch(() => {});
    throw error;
  });
  const supervisor = supervise({
    isServing: () => isClusterServing(cluster.clusterDir),
    restart: async (isStopped) => {
      const port = String(target.port);
      const again = await connect({ cluster, binaries, settings: { ...settings, port }, log, isStopped });
      await again.client.end().catch(() => {});
      await lock.reopen();
    },
    log,
    warn: options.warn ?? log,
    onGivenUp: (error) => giveUp(toGivenUp(error, cluster)),
  });
  await removeDrafts(cluster.dataDir);
  const version = await readVersion(client);
  log(
    `PostgreSQL ${version} ${adopted ? 'was still running' : 'runs'} on port ${target.port}, data in ${cluster.clusterDir}`,
  );

  let stopping: Promise<void> | undefined;
  const stop = async () => {
    await supervisor.stop();
    // The lock goes down with the server: no other process can take over one that is about to stop.
    await stopPostmaster(cluster, binaries).finally(() => lock.release());
  };
  const local = { ...target, socketDir: await findSocketDir(cluster.clusterDir, target.port) };
  return {
    url: clusterUrl(target, CLUSTER_DATABASE),
    localUrl: clusterUrl(local, CLUSTER_DATABASE),
    openServiceUrl: (runtimeRole) => openServiceUrl(local, runtimeRole),
    dataDir: cluster.clusterDir,
    version,
    adopted,
    givenUp,
    stop: () => {
      stopping ??= stop();
      return stopping;
    },
  };
}

async function isClusterServing(clusterDir: string): Promise<boolean> {
  const running = await readPostmaster(clusterDir);
  return running !== undefined && (await isServing(running, clusterDir));
}

function toGivenUp(error: Error, cluster: Cluster): EmbeddedPostgresError {
  return new EmbeddedPostgresError(
    `The database in ${cluster.clusterDir} has ended and cannot be started again: ${error.message}. ` +
      `Its log is ${cluster.logFile}.`,
    { cause: error },
  );
}

/** Finds a running server or starts one, again and again, until one answers or patience ends. */
async function connect({ cluster, binaries, settings, log, isStopped }: Start): Promise<Connected> {
  let adopted = true;
  let complaint = '';
  let refusals = 0;
  let deadline = Date.now() + PATIENCE_MS;
  while (Date.now() < deadline && refusals < REFUSALS_MAX && isStopped?.() !== true) {
    const running = await readPostmaster(cluster.clusterDir);
    const serving = running !== undefined && (await isServing(running, cluster.clusterDir));
    const before = complaint;
    if (serving && running.port !== undefined) {
      const target = { port: running.port, password: cluster.password, dataDir: cluster.dataDir };
      try {
        return { client: await openDatabase(target, cluster), target, adopted };
      } catch (error) {
        complaint = describe(error, cluster);
        if (codeOf(error) === CANNOT_CONNECT_NOW) deadline = Date.now() + PATIENCE_MS;
      }
    } else if (!serving) {
      if (running) await removeForeignPidFile(running, cluster.clusterDir);
      const refusal = await startPostmaster(cluster, binaries, settings);
      adopted = refusal !== undefined;
      if (refusal === undefined) continue;
      complaint = refusal;
      refusals = PASSING.test(refusal) ? 0 : refusals + 1;
    }
    if (before === '' && complaint !== '') log(`PostgreSQL does not serve yet: ${complaint}`);
    await delay(RETRY_MS);
  }
  throw new EmbeddedPostgresError(
    `The database in ${cluster.clusterDir} did not start: ${complaint}\nIts log is ${cluster.logFile}.`,
  );
}

/** Connects to the service's database, made when missing; throws for another cluster's server. */
async function openDatabase(target: LockTarget, cluster: Cluster): Promise<Client> {
  let client: Client;
  try {
    client = await connectToCluster(target, CLUSTER_DATABASE);
  } catch (error) {
    if (codeOf(error) !== INVALID_CATALOG_NAME) throw error;
    await createDatabase(target);
    client = await connectToCluster(target, CLUSTER_DATABASE);
  }
  try {
    const { rows } = await client.query<{ directory: string }>(`select current_setting('data_directory') as directory`);
    const directory = await realpath(rows[0]?.directory ?? '');
    if (directory !== cluster.clusterDir) throw new Error(`the server on port ${target.port} serves ${directory}`);
    return client;
  } catch (error) {
    await client.end().catch(() => {});
    throw error;
  }
}

async function openServiceUrl(local: LockTarget & ClusterAddress, runtimeRole: string): Promise<string> {
  const client = await connectToCluster(local, CLUSTER_DATABASE);
  try {
    return clusterUrl({ ...local, ...(await renewServiceLogin(client, runtimeRole)) }, CLUSTER_DATABASE);
  } finally {
    await client.end().catch(() => {});
  }
}

async function createDatabase(target: LockTarget): Promise<void> {
  const client = await connectToCluster(target, 'postgres');
  try {
    await client.query(`create database ${CLUSTER_DATABASE}`);
  } catch (error) {
    const code = codeOf(error);
    if (code === undefined || !OVERTAKEN.has(code)) throw error;
  } finally {
    await client.end().catch(() => {});
  }
}

function describe(error: unknown, cluster: Cluster): string {
  if (codeOf(error) !== INVALID_PASSWORD) return messageOf(error);
  throw new EmbeddedPostgresError(
    `The running database of ${cluster.clusterDir} does not accept the password in ${cluster.dataDir}/postgres-password: ` +
      'restore the file that belongs to it.',
    { cause: error },
  );
}

async function readVersion(client: Client): Promise<string> {
  const { rows } = await client.query<{ version: string }>(`select current_setting('server_version') as version`);
  return rows[0]?.version ?? 'unknown';
}
