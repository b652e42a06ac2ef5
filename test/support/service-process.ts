// A whole service in a process of its own, on a database of the test's, to be killed and started
// again where it was.

import { type ChildProcess, spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { createTestDatabase } from './database.ts';

export interface ServiceProcess {
  /** The same after every start. */
  readonly url: string;
  readonly adminKey: string;
  /** Of the one that runs now. */
  readonly pid: number;
  /** Ends it with SIGKILL; resolves when it is gone. */
  kill(): Promise<void>;
  /** Ends it with SIGTERM; resolves to its exit code. */
  end(): Promise<number | null>;
  /** Starts it again; resolves when it takes requests. */
  start(): Promise<void>;
  /** Ends it in order and removes what it had. */
  stop(): Promise<void>;
}

const main = join(import.meta.dirname, '../../src/main.ts');

/** With these settings over the defaults. */
export async function startServiceProcess(settings: Record<string, string> = {}): Promise<ServiceProcess> {
  const database = await createTestDatabase();
  const dataDir = await mkdtemp(join(tmpdir(), 'willcall-process-'));
  const adminKey = randomBytes(24).toString('hex');
  const env = { DATABASE_URL: database.url, WILLCALL_DATA_DIR: dataDir, WILLCALL_ADMIN_KEY: adminKey, ...settings };
  let { child, url } = await launch({ ...env, WILLCALL_PORT: '0' });
  const end = async (signal: 'SIGKILL' | 'SIGTERM') => {
    if (child.exitCode !== null || child.signalCode !== null) return child.exitCode;
    const gone = once(child, 'exit');
    child.kill(signal);
    await gone;
    return child.exitCode;
  };
  return {
    adminKey,
    get url() {
      return url;
    },
    get pid() {
      return child.pid ?? 0;
    },
    kill: async () => void (await end('SIGKILL')),
    end: () => end('SIGTERM'),
    async start() {
      ({ child, url } = await launch({ ...env, WILLCALL_PORT: new URL(url).port }));
    },
    async stop() {
      await end('SIGTERM');
      await database.drop();
      await rm(dataDir, { recursive: true, force: true });
    },
  };
}

function launch(env: Record<string, string>): Promise<{ child: ChildProcess; url: string }> {
  const child = spawn(process.execPath, [main], {
    env: { PATH: process.env.PATH ?? '', ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let words = '';
  child.stderr.setEncoding('utf8').on('data', (chunk: string) => {
    words += chunk;
  });
  return new Promise((resolve, reject) => {
    createInterface({ input: child.stdout }).on('line', (line) => {
      const url = /^willcall listening on (\S+)$/.exec(line)?.[1];
      if (url !== undefined) resolve({ child, url });
    });
    child.once('exit', () => reject(new Error(`The service ended at its start: ${words}`)));
  });
}
