// One instance of the service, a process of its own between two proxies: clients reach it through
// one, and it reaches the database through the other. Both keep their ports whatever becomes of the
// process.

import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { createWriteStream } from 'node:fs';
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { startTcpProxy, type TcpProxy } from '../tcp-proxy.ts';
import { until } from './waiting.ts';

export interface InstanceOptions {
  readonly name: string;
  readonly directory: string;
  readonly adminKey: string;
  /** Of the superuser, past every proxy. */
  readonly databaseUrl: () => string;
  /** By how much its clock goes wrong. */
  readonly clockShiftMs: number;
  readonly environment?: Readonly<Record<string, string>>;
  /** The program; the service of this checkout when left out. */
  readonly main?: string;
}

export interface Instance {
  readonly name: string;
  /** For clients, through the proxy; always the same. */
  readonly url: string;
  readonly clients: TcpProxy;
  readonly database: TcpProxy;
  readonly logFile: string;
  /** Starts it, again and again until it starts: the database may be away. */
  start(): Promise<void>;
  signal(signal: 'SIGKILL' | 'SIGSTOP' | 'SIGCONT' | 'SIGTERM'): void;
  /** Resolves when the process is gone. */
  gone(): Promise<void>;
  /** Whether it and its database answer. */
  isReady(): Promise<boolean>;
  /** The database has moved. */
  follow(): void;
  end(): Promise<void>;
}

const MAIN = join(import.meta.dirname, '../../../src/main.ts');
const CLOCK = join(import.meta.dirname, 'clock.ts');
const READY_MS_MAX = 5_000;
const STOP_MS_MAX = 120_000;

/** Not started. */
export async function createInstance(options: InstanceOptions): Promise<Instance> {
  const { name, directory } = options;
  const dataDir = join(directory, name);
  await mkdir(dataDir, { recursive: true });
  const logFile = join(directory, `${name}.log`);
  const clients = await startTcpProxy({ host: '127.0.0.1', port: 1 });
  const database = await startTcpProxy(targetOf(options.databaseUrl()));
  const state = { child: null as ChildProcess | null, ended: false };

  const isAlive = () => state.child !== null && state.child.exitCode === null && state.child.signalCode === null;
  const launch = async (): Promise<boolean> => {
    const child = spawnService(options, { dataDir, logFile, databasePort: database.port });
    state.child = child;
    const port = await portOf(child);
    if (port !== null) clients.target = { host: '127.0.0.1', port };
    return port !== null;
  };
  const gone = async (): Promise<void> => {
    if (isAlive() && state.child !== null) await once(state.child, 'exit');
  };

  return {
    ...{ name, clients, database, logFile, gone },
    url: `http://127.0.0.1:${clients.port}`,
    start: async () => {
      if (state.ended || isAlive()) return;
      await until(launch, `${name} has started`);
    },
    signal: (signal) => void state.child?.kill(signal),
    isReady: async () => {
      const url = `http://127.0.0.1:${clients.target.port}/readyz`;
      const answer = await fetch(url, { signal: AbortSignal.timeout(READY_MS_MAX) }).catch(() => null);
      return answer?.status === 200;
    },
    follow: () => {
      database.target = targetOf(options.databaseUrl());
    },
    end: async () => {
      state.ended = true;
      state.child?.kill('SIGCONT');
      state.child?.kill('SIGTERM');
      const late = setTimeout(() => state.child?.kill('SIGKILL'), STOP_MS_MAX);
      await gone();
      clearTimeout(late);
      await clients.close();
      await database.close();
    },
  };
}

function targetOf(url: string): { host: string; port: number } {
  return { host: '127.0.0.1', port: Number(new URL(url).port) };
}

interface Surroundings {
  readonly dataDir: string;
  readonly logFile: string;
  readonly databasePort: number;
}

function spawnService(options: InstanceOptions, { dataDir, logFile, databasePort }: Surroundings): ChildProcess {
  const url = new URL(options.databaseUrl());
  url.port = String(databasePort);
  const child = spawn(process.execPath, ['--import', CLOCK, options.main ?? MAIN], {
    env: {
      PATH: process.env.PATH ?? '',
      CHAOS_CLOCK_SHIFT_MS: String(options.clockShiftMs),
      DATABASE_URL: url.href,
      WILLCALL_DATA_DIR: dataDir,
      WILLCALL_ADMIN_KEY: options.adminKey,
      WILLCALL_PORT: '0',
      // Few, so that they run out.
      WILLCALL_DATABASE_CONNECTIONS: '4',
      ...options.environment,
    },
    stdio: ['ignore', 'pipe', 'pipe'],
    // A terminal's Ctrl-C reaches the harness alone, which then ends the others in order.
    detached: true,
  });
  const log = createWriteStream(logFile, { flags: 'a' });
  child.stdout?.pipe(log, { end: false });
  child.stderr?.pipe(log, { end: false });
  // The last resort: an exit of the harness that skipped the orderly end.
  const kill = () => void child.kill('SIGKILL');
  process.once('exit', kill);
  child.once('exit', () => {
    process.off('exit', kill);
    log.end();
  });
  return child;
}

/** Where it listens; null when it ended instead. */
function portOf(child: ChildProcess): Promise<number | null> {
  return new Promise((resolve) => {
    child.once('exit', () => resolve(null));
    if (child.stdout === null) return;
    createInterface({ input: child.stdout }).on('line', (line) => {
      const url = /^willcall listening on (\S+)$/.exec(line)?.[1];
      if (url !== undefined) resolve(Number(new URL(url).port));
    });
  });
}
