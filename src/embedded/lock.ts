// Data directory lock: a session-level advisory lock that lets one service use the directory.
// PostgreSQL frees it the moment the process is gone, for whatever reason. Should the connection
// break while the service lives on, it is opened and locked again.

import { type Client, DatabaseError } from 'pg';
import { openSession, sessionConfig } from '../store/postgres/session.ts';
import { codeOf } from '../store/schema/migration-error.ts';
import { CLUSTER_DATABASE, CLUSTER_USER } from './cluster.ts';
import { EmbeddedPostgresError } from './command.ts';

/** How to reach the cluster, and the directory to name when it is taken. */
export interface LockTarget {
  port: number;
  password: string;
  dataDir: string;
}

export interface DirectoryLockOptions {
  readonly target: LockTarget;
  /** Called when the connection with the lock has ended, before it is opened again. */
  readonly onDisconnect: () => void;
  /** Called when another service took the lock meanwhile. */
  readonly onTaken: (error: EmbeddedPostgresError) => void;
}

/** A held lock. */
export interface DirectoryLock {
  /** Takes the lock again at once, if it was lost; what fails is tried again soon. */
  reopen(): Promise<void>;
  /** Closes the connection and with it the lock. */
  release(): Promise<void>;
}

const LOCK_NAME = 'willcall data directory';
/** PostgreSQL notices within moments that a service was killed; a stopping one may take longer. */
const WAIT_MS = 2_000;
const REOPEN_MS = 1_000;
const CONNECT_MS = 5_000;
const LOCK_NOT_AVAILABLE = '55P03';

export interface ClusterAddress extends Pick<LockTarget, 'port' | 'password'> {
  /** Where the server's socket lies; absent or null: by TCP. */
  readonly socketDir?: string | null;
  /** Absent: the superuser. */
  readonly user?: string;
}

/** The connection string of the service's database. */
export function clusterUrl(address: ClusterAddress, database: string): string {
  const { port, password, socketDir, user = CLUSTER_USER } = address;
  const host = encodeURIComponent(socketDir ?? '127.0.0.1');
  return `postgres://${user}:${encodeURIComponent(password)}@${host}:${port}/${database}`;
}

/** Opens a connection to the cluster; it never throws by itself once open. */
export async function connectToCluster(target: LockTarget, database: string): Promise<Client> {
  return await openSession({
    ...sessionConfig({ url: clusterUrl(target, database), runtimeRole: null }),
    connectionTimeoutMillis: CONNECT_MS,
    application_name: `willcall, process ${process.pid}`,
  });
}

/**
 * Takes the lock on an open connection, which it keeps; throws an EmbeddedPostgresError when
 * another service has it.
 */
export async function holdDirectoryLock(
  opened: Client,
  { target, onDisconnect, onTaken }: DirectoryLockOptions,
): Promise<DirectoryLock> {
  let client = opened;
  let released = false;
  let isHeld = false;
  let timer: NodeJS.Timeout | undefined;
  let reopening: Promise<void> | null = null;

  const reopen = () => {
    clearTimeout(timer);
    if (isHeld || released) return Promise.resolve();
    reopening ??= tryReopen().finally(() => {
      reopening = null;
    });
    return reopening;
  };
  const tryReopen = async () => {
    let next: Client | undefined;
    try {
      next = await connectToCluster(target, CLUSTER_DATABASE);
      await takeLock(next, target.dataDir);
      keep(next);
    } catch (error) {
      await next?.end().catch(() => {});
      if (!(error instanceof EmbeddedPostgresError)) reopenSoon();
      else if (!released) onTaken(error);
    }
  };
  const reopenSoon = () => {
    if (released) return;
    timer = setTimeout(() => void reopen(), REOPEN_MS).unref();
  };
  const keep = (locked: Client) => {
    client = locked;
    isHeld = true;
    client.once('end', () => {
      isHeld = false;
      reopenSoon();
      if (!released) onDisconnect();
    });
    // Released while this connection was being made: then no one else will close it.
    if (released) void client.end().catch(() => {});
  };

  await takeLock(client, target.dataDir);
  keep(client);
  return {
    reopen,
    async release() {
      released = true;
      clearTimeout(timer);
      await client.end().catch(() => {});
    },
  };
}

async function takeLock(client: Client, dataDir: string): Promise<void> {
  try {
    await client.query(`set lock_timeout = ${WAIT_MS}`);
    await client.query('select pg_advisory_lock(hashtextextended($1, 0))', [LOCK_NAME]);
  } catch (error) {
    if (!(error instanceof DatabaseError) || codeOf(error) !== LOCK_NOT_AVAILABLE) throw error;
    throw new EmbeddedPostgresError(
      `Another Willcall (${await nameHolder(client)}) already runs on the data directory ${dataDir}: stop it first, or ` +
        'set WILLCALL_DATA_DIR to another directory for this one.',
      { cause: error },
    );
  }
}

async function nameHolder(client: Client): Promise<string> {
  const { rows } = await client.query<{ holder: string }>(
    `select a.application_name as holder
       from pg_locks l
       join pg_stat_activity a using (pid)
      where l.locktype = 'advisory'
        and l.granted
        and (l.classid::int8 << 32 | l.objid::int8) = hashtextextended($1, 0)`,
    [LOCK_NAME],
  );
  return rows[0]?.holder.replace('willcall, ', '') ?? 'just stopping';
}
