// PgBouncer in transaction mode before a server of the tests, on loopback.

import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { chmod, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { setTimeout } from 'node:timers/promises';
import { Client } from 'pg';

export interface PgBouncer {
  /** The same login and database by way of PgBouncer. */
  urlOf(direct: string): string;
  /** Gives every next transaction a new session of PostgreSQL. */
  reconnect(): Promise<void>;
  stop(): Promise<void>;
}

/** Debian keeps it where only root's path leads. */
const candidates = ['pgbouncer', '/usr/sbin/pgbouncer', '/usr/local/bin/pgbouncer'];
const POOL_SIZE = 4;

/** The program. Throws a sentence where there is none. */
export function findPgBouncer(): string {
  const found = candidates.find((candidate) => spawnSync(candidate, ['--version']).status === 0);
  if (found !== undefined) return found;
  throw new Error('This test needs PgBouncer; in Debian: apt-get install pgbouncer');
}

/** Lets these logins in with the passwords of their URLs. */
export async function startPgBouncer(program: string, urls: readonly string[]): Promise<PgBouncer> {
  const folder = await mkdtemp(path.join(tmpdir(), 'willcall-pgbouncer-'));
  const port = await findPort();
  await chmod(folder, 0o755);
  await writeFile(path.join(folder, 'users.txt'), urls.map(toUser).join('\n'));
  await writeFile(path.join(folder, 'pgbouncer.ini'), configure(folder, port, urls[0] ?? ''));
  // PgBouncer refuses to run as root.
  const asUser = process.getuid?.() === 0 ? ['-u', 'nobody'] : [];
  const child = spawn(program, [...asUser, path.join(folder, 'pgbouncer.ini')], {
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  const words: string[] = [];
  child.stderr.setEncoding('utf8').on('data', (chunk: string) => words.push(chunk));
  const through = (url: string, database?: string) => {
    const changed = new URL(url);
    changed.host = `127.0.0.1:${port}`;
    if (database !== undefined) changed.pathname = `/${database}`;
    return changed.href;
  };
  const consoleUrl = through(urls[0] ?? '', 'pgbouncer');
  await waitUntilServing(child, consoleUrl, words);
  return {
    urlOf: (direct) => through(direct),
    reconnect: () => command(consoleUrl, 'reconnect'),
    async stop() {
      const gone = once(child, 'exit');
      child.kill('SIGTERM');
      await gone;
      await rm(folder, { recursive: true, force: true });
    },
  };
}

function toUser(url: string): string {
  const { username, password } = new URL(url);
  return `"${username}" "${decodeURIComponent(password)}"`;
}

function configure(folder: string, port: number, url: string): string {
  const { hostname, port: target, username } = new URL(url);
  return `
[databases]
* = host=${hostname} port=${target}
[pgbouncer]
listen_addr = 127.0.0.1
listen_port = ${port}
unix_socket_dir =
auth_type = plain
auth_file = ${path.join(folder, 'users.txt')}
admin_users = ${username}
pool_mode = transaction
default_pool_size = ${POOL_SIZE}
`;
}

async function command(url: string, text: string): Promise<void> {
  const client = new Client({ connectionString: url });
  client.on('error', () => {});
  await client.connect();
  // The console knows simple queries alone.
  await client.query(text);
  await client.end();
}

async function waitUntilServing(child: ChildProcess, url: string, words: readonly string[]): Promise<void> {
  for (;;) {
    if (child.exitCode !== null) throw new Error(`PgBouncer ended at its start: ${words.join('')}`);
    try {
      return await command(url, 'show version');
    } catch {
      await setTimeout(20);
    }
  }
}

function findPort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer();
    server.once('error', reject);
    server.listen(0, '127.0.0.1', () => {
      const address = server.address();
      server.close(() => resolve(typeof address === 'object' && address ? address.port : 0));
    });
  });
}
