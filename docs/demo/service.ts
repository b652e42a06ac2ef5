// Starts the real service as a child process on a directory of its own and stops it again. Nothing
// of the caller's configuration reaches it, so that a demo never speaks to somebody's database.

import { type ChildProcess, spawn } from 'node:child_process';
import { chmod, mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { createInterface } from 'node:readline';

const START_MS = 60_000;
const STOP_MS = 20_000;
const LAST_WORDS = 12;
const main = path.resolve(import.meta.dirname, '../../src/main.ts');

export interface Service {
  readonly baseUrl: string;
  /** The admin key that the first start made. */
  readonly key: string;
  readonly folder: string;
  /** The last lines that it wrote, for when the story goes wrong. */
  lastWords(): readonly string[];
  /** Stops the service in an orderly way and removes its directory. May be called twice. */
  stop(): Promise<void>;
}

/** Resolves when the service listens; rejects with its last words when it does not. */
export async function startService(): Promise<Service> {
  const folder = await mkdtemp(path.join(tmpdir(), 'willcall-demo-'));
  // When root starts it, PostgreSQL runs as another account, which has to get to its data.
  await chmod(folder, 0o755);
  const child = spawn(process.execPath, [main], {
    env: { ...withoutSettings(process.env), WILLCALL_DATA_DIR: folder, WILLCALL_PORT: '0' },
    stdio: ['ignore', 'pipe', 'pipe'],
    // A group of its own: Ctrl-C reaches the demo alone, which then stops the service in order.
    detached: true,
  });
  const stop = createStop(child, folder);
  try {
    const words: string[] = [];
    const baseUrl = await waitUntilListening(child, words);
    const key = (await readFile(path.join(folder, 'admin-key'), 'utf8')).trim();
    return { baseUrl, key, folder, lastWords: () => words.slice(-LAST_WORDS), stop };
  } catch (error) {
    await stop();
    throw error;
  }
}

function withoutSettings(env: NodeJS.ProcessEnv): NodeJS.ProcessEnv {
  const kept = Object.entries(env).filter(([name]) => !name.startsWith('WILLCALL_') && !name.startsWith('DATABASE_'));
  return Object.fromEntries(kept);
}

function waitUntilListening(child: ChildProcess, words: string[]): Promise<string> {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => fail(`did not listen within ${START_MS / 1000} seconds`), START_MS);
    const fail = (what: string) => {
      clearTimeout(timer);
      reject(new Error(`The service ${what}. Its last words:\n${words.slice(-LAST_WORDS).join('\n')}`));
    };
    const hear = (line: string) => {
      words.push(line);
      const address = /^willcall listening on (http:\/\/\S+)$/.exec(line)?.[1];
      if (address === undefined) return;
      clearTimeout(timer);
      resolve(address);
    };
    for (const stream of [child.stdout, child.stderr]) {
      if (stream !== null) createInterface({ input: stream }).on('line', hear);
    }
    child.once('error', (error) => fail(`could not be started: ${error.message}`));
    child.once('exit', (code, signal) => fail(`ended with ${signal ?? code}`));
  });
}

function createStop(child: ChildProcess, folder: string): () => Promise<void> {
  const ended = new Promise<void>((resolve) => {
    child.once('exit', () => resolve());
    child.once('error', () => resolve());
  });
  let stopping: Promise<void> | null = null;
  const stop = async () => {
    const running = child.exitCode === null && child.signalCode === null && child.pid !== undefined;
    const timer = setTimeout(() => child.kill('SIGKILL'), STOP_MS);
    if (running) child.kill('SIGTERM');
    await ended;
    clearTimeout(timer);
    await rm(folder, { recursive: true, force: true, maxRetries: 3 });
  };
  return () => {
    stopping ??= stop();
    return stopping;
  };
}
