// A PostgreSQL of the harness's own, made of the embedded programs in a directory of its own, to be
// killed, stopped and started as a database server is in real life. Unlike the one of the other
// tests it flushes to disk.

import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import pg from 'pg';
import { type Binaries, findBinaries } from '../../../src/embedded/binaries.ts';
import { openCluster as openDirectory, type Cluster as Place } from '../../../src/embedded/cluster.ts';
import { runCommand } from '../../../src/embedded/command.ts';
import { clusterUrl } from '../../../src/embedded/lock.ts';
import { readPostmaster, startPostmaster } from '../../../src/embedded/postmaster.ts';
import { chooseProcessUser } from '../../../src/embedded/user.ts';
import { pause, until } from './waiting.ts';

export interface Cluster {
  readonly binaries: Binaries;
  readonly place: Place;
  /** Changes with every start. */
  readonly port: number;
  /** As the superuser, to the service's database, past every proxy. */
  readonly url: string;
  /** Goes on trying while processes of a killed server are still ending. */
  start(): Promise<void>;
  stop(mode: 'fast' | 'immediate'): Promise<void>;
  /**
   * SIGKILL to the postmaster alone, as an out-of-memory killer would; resolves when it is gone.
   */
  killPostmaster(): Promise<void>;
  /**
   * SIGSTOP to all of its processes: connections stay, and nobody answers. Call what it resolves
   * to, and they go on.
   */
  freeze(): Promise<() => void>;
  /** Makes a primary of a standby. */
  promote(): Promise<void>;
  /** As the superuser, on a connection of its own. */
  query<Row extends pg.QueryResultRow>(text: string, values?: unknown[]): Promise<Row[]>;
  /** A session that is left open, to stand in the way. */
  connect(): Promise<pg.Client>;
  isRunning(): Promise<boolean>;
  /** Whatever state it is in. */
  end(): Promise<void>;
}

const SETTINGS = {
  max_connections: '40',
  shared_buffers: '64MB',
  max_wal_size: '256MB',
  superuser_reserved_connections: '3',
  search_path: 'public',
  log_lock_waits: 'off',
};
const START_MS_MAX = 300_000;
const RETRY_MS = 100;
const SHARED_DIR = '/var/lib/willcall';
const DATABASE = 'willcall';

/**
 * The cluster in this directory, made where there is none; not started. The account of PostgreSQL
 * must reach it. `wrap` may put another program in the place of one that runs the server.
 */
export async function openCluster(
  dataDir: string,
  settings: Record<string, string> = {},
  wrap = async (binaries: Binaries) => binaries,
): Promise<Cluster> {
  const user = await chooseProcessUser();
  const binaries = await wrap(await findBinaries(user, SHARED_DIR));
  const place = await openDirectory({ dataDir, sharedDir: SHARED_DIR, user, binaries, sync: false });
  const state = { port: 0 };
  const urlOf = (database: string) => clusterUrl({ port: state.port, password: place.password }, database);
  const control = (...command: string[]) =>
    runCommand(binaries.pgCtl, [...command, `--pgdata=${place.clusterDir}`], user);

  const connect = async (database = DATABASE): Promise<pg.Client> => {
    const client = new pg.Client({ connectionString: urlOf(database), application_name: 'chaos' });
    client.on('error', () => {});
    await client.connect();
    return client;
  };
  const query = async <Row extends pg.QueryResultRow>(text: string, values: unknown[] = [], database = DATABASE) => {
    const client = await connect(database);
    try {
      return (await client.query<Row>(text, values)).rows;
    } finally {
      await client.end().catch(() => {});
    }
  };
  const start = async (): Promise<void> => {
    const deadline = performance.now() + START_MS_MAX;
    for (;;) {
      const refusal = await startPostmaster(place, binaries, { ...SETTINGS, ...settings });
      if (refusal === undefined) break;
      if (performance.now() > deadline) throw new Error(`PostgreSQL in ${place.clusterDir} does not start: ${refusal}`);
      await pause(RETRY_MS);
    }
    state.port = (await readPostmaster(place.clusterDir))?.port ?? 0;
  };

  const running = async (): Promise<boolean> => {
    const pid = await postmasterPid(place).catch(() => 0);
    return pid > 0 && isRunning(pid);
  };

  return {
    ...{ binaries, place, start },
    get port() {
      return state.port;
    },
    get url() {
      return urlOf(DATABASE);
    },
    stop: async (mode) => {
      const { code, output } = await control('stop', '--wait', `--mode=${mode}`, '--timeout=30');
      if (code !== 0) throw new Error(`PostgreSQL in ${place.clusterDir} does not stop: ${output}`);
    },
    killPostmaster: async () => {
      const pid = await postmasterPid(place);
      process.kill(pid, 'SIGKILL');
      await until(async () => !(await isRunning(pid)), 'the postmaster is gone');
    },
    freeze: async () => {
      const session = await connect();
      const postmaster = await postmasterPid(place);
      // First the one that makes the others, then those that there are, the session's own last.
      process.kill(postmaster, 'SIGSTOP');
      const { rows } = await session.query<{ pid: number }>(
        'select pid from pg_stat_activity order by pid = pg_backend_pid()',
      );
      const pids = [postmaster, ...rows.map(({ pid }) => pid)];
      for (const pid of pids) process.kill(pid, 'SIGSTOP');
      return () => {
        for (const pid of pids) process.kill(pid, 'SIGCONT');
        void session.end().catch(() => {});
      };
    },
    promote: async () => {
      const { code, output } = await control('promote', '--wait', '--timeout=30');
      if (code !== 0) throw new Error(`the standby in ${place.clusterDir} is not promoted: ${output}`);
    },
    query: (text, values) => query(text, values),
    connect: () => connect(),
    isRunning: running,
    end: async () => {
      if (await running()) await control('stop', '--wait', '--mode=immediate', '--timeout=10');
    },
  };
}

/** Makes the service's database in a cluster that was just started for the first time. */
export async function createDatabase(cluster: Cluster): Promise<void> {
  const url = new URL(cluster.url);
  url.pathname = '/postgres';
  const client = new pg.Client({ connectionString: url.href });
  await client.connect();
  await client.query(`create database ${DATABASE}`);
  await client.end();
}

async function postmasterPid(place: Place): Promise<number> {
  const running = await readPostmaster(place.clusterDir);
  if (running === undefined) throw new Error(`no PostgreSQL runs in ${place.clusterDir}`);
  return running.pid;
}

/** A process that ended and that nobody has asked for is not running either. */
export async function isRunning(pid: number): Promise<boolean> {
  try {
    const stat = await readFile(join('/proc', `${pid}`, 'stat'), 'utf8');
    return !/\) [ZX] /.test(stat);
  } catch {
    return isAlive(pid);
  }
}

/** Where there is no /proc. */
function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return process.platform !== 'linux';
  } catch {
    return false;
  }
}
