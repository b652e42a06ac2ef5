// Server process of the embedded cluster: how a running one is found, started and stopped.
// PostgreSQL itself goes by postmaster.pid. The file outlives a killed server, and its process id
// may belong to another program by then, which PostgreSQL cannot detect and we must.

import { randomBytes } from 'node:crypto';
import { constants, link, open, readFile, readlink, rename, rm, stat } from 'node:fs/promises';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { codeOf } from '../store/schema/migration-error.ts';
import type { Binaries } from './binaries.ts';
import type { Cluster } from './cluster.ts';
import { EmbeddedPostgresError, runCommand } from './command.ts';

/** The content of postmaster.pid; `port` is undefined until the server has written it. */
export interface Postmaster {
  pid: number;
  port: number | undefined;
  text: string;
}

const PID_FILE = 'postmaster.pid';
const SETTINGS_FILE = 'willcall.conf';
const LOG_BYTES_MAX = 10 * 1024 * 1024;
/** Recovery after a crash replays up to max_wal_size and may take minutes on a slow disk. */
const START_SECONDS_MAX = 600;
/** Of macOS; Linux has a few more. */
const SOCKET_PATH_BYTES_MAX = 103;
/** First without any loss of time at the next start, then at any price short of data. */
const STOPS = [
  { mode: 'fast', seconds: 30 },
  { mode: 'immediate', seconds: 10 },
];

const SETTINGS: Record<string, string> = {
  listen_addresses: '127.0.0.1',
  unix_socket_permissions: '0700',
  // As many as an instance may ask for, and some that PostgreSQL keeps for its superuser.
  max_connections: '110',
  shared_buffers: '256MB',
  max_wal_size: '2GB',
  jit: 'off',
  timezone: 'UTC',
  log_timezone: 'UTC',
  log_destination: 'stderr',
  logging_collector: 'off',
  log_line_prefix: '%m [%p] %a ',
};

/** Reads postmaster.pid; undefined when there is none. */
export async function readPostmaster(clusterDir: string): Promise<Postmaster | undefined> {
  try {
    const text = await readFile(join(clusterDir, PID_FILE), 'utf8');
    const lines = text.split('\n');
    return { pid: Math.abs(Number.parseInt(lines[0] ?? '', 10)) || 0, port: Number(lines[3]) || undefined, text };
  } catch (error) {
    if (codeOf(error) === 'ENOENT') return undefined;
    throw error;
  }
}

/**
 * Whether the process of a postmaster.pid is the server of this cluster; true when this platform
 * cannot detect it.
 */
export async function isServing({ pid }: Postmaster, clusterDir: string): Promise<boolean> {
  if (pid === 0 || !isAlive(pid)) return false;
  if (process.platform === 'win32') return true;
  const command = await commandLine(pid);
  if (command === undefined || !command.includes('postgres')) return false;
  return (
    `${command} `.includes(` -D ${clusterDir} `) ||
    (await readlink(`/proc/${pid}/cwd`).catch(() => undefined)) === clusterDir
  );
}

/**
 * Removes a postmaster.pid whose process id belongs to another program, which PostgreSQL would take
 * for a server. The file of a dead process is left to PostgreSQL, which checks it more thoroughly.
 */
export async function removeForeignPidFile(found: Postmaster, clusterDir: string): Promise<void> {
  if (!isAlive(found.pid)) return;
  const file = join(clusterDir, PID_FILE);
  const aside = `${file}.${randomBytes(8).toString('hex')}`;
  try {
    await rename(file, aside);
    // Another start may have put its own in place since we read it; then that one goes back.
    if ((await readFile(aside, 'utf8')) !== found.text) await link(aside, file);
    await rm(aside);
  } catch (error) {
    if (codeOf(error) !== 'ENOENT') throw error;
  }
}

/** The directory of the server's socket; null when it has none and TCP must do. */
export async function findSocketDir(clusterDir: string, port: number): Promise<string | null> {
  const found = await stat(join(clusterDir, `.s.PGSQL.${port}`)).catch(() => undefined);
  return found?.isSocket() ? clusterDir : null;
}

/** No socket where the path is too long for the system, or reads as several; then TCP serves. */
function socketSetting(clusterDir: string): Record<string, string> {
  const fits = Buffer.byteLength(join(clusterDir, '.s.PGSQL.65535')) <= SOCKET_PATH_BYTES_MAX;
  const possible = fits && process.platform !== 'win32' && !/[,"]/.test(clusterDir);
  return { unix_socket_directories: possible ? clusterDir : '' };
}

/**
 * Starts a server on a free port, or that of the settings; returns undefined when it serves, else
 * the reason it gave.
 */
export async function startPostmaster(
  cluster: Cluster,
  binaries: Binaries,
  settings: Record<string, string>,
): Promise<string | undefined> {
  checkPaths(cluster, binaries);
  const port = settings.port ?? String(await findFreePort());
  const extras = { ...(await supportedCompression(cluster, binaries)), ...settings, port };
  await writeSettings(cluster, { ...SETTINGS, ...socketSetting(cluster.clusterDir), ...extras });
  const logStart = await openLog(cluster);
  const { code, output } = await runCommand(
    binaries.pgCtl,
    [
      'start',
      '--wait',
      `--timeout=${START_SECONDS_MAX}`,
      `--pgdata=${cluster.clusterDir}`,
      `--log=${cluster.logFile}`,
      `--options=-c "config_file=${join(cluster.clusterDir, SETTINGS_FILE)}"`,
    ],
    cluster.user,
  );
  return code === 0 ? undefined : (await readFailures(cluster.logFile, logStart)) || output.trim();
}

/**
 * Stops the server, at once if it will not do it in good order; throws when it survives even that.
 */
export async function stopPostmaster(cluster: Cluster, binaries: Binaries): Promise<void> {
  let output = '';
  for (const { mode, seconds } of STOPS) {
    const running = await readPostmaster(cluster.clusterDir);
    // pg_ctl would wait in vain for a server that was killed and left its postmaster.pid.
    if (!running || !(await isServing(running, cluster.clusterDir))) return;
    const stop = ['stop', '--wait', `--mode=${mode}`, `--timeout=${seconds}`, `--pgdata=${cluster.clusterDir}`];
    const result = await runCommand(binaries.pgCtl, stop, cluster.user);
    if (result.code === 0) return;
    output = result.output.trim();
  }
  throw new EmbeddedPostgresError(
    `The database in ${cluster.clusterDir} did not stop: ${output}. Its log is ${cluster.logFile}.`,
  );
}

/** pg_ctl puts these paths between double quotes of a shell and escapes nothing. */
function checkPaths({ clusterDir, logFile }: Cluster, { postgres }: Binaries): void {
  for (const path of process.platform === 'win32' ? [] : [clusterDir, logFile, postgres]) {
    if (/["$`\\\n]/.test(path)) {
      throw new EmbeddedPostgresError(
        `PostgreSQL cannot be started with the path ${path}: use directories without quotes, dollar signs, backquotes and ` +
          'backslashes in their names.',
      );
    }
  }
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return codeOf(error) === 'EPERM';
  }
}

async function commandLine(pid: number): Promise<string | undefined> {
  try {
    return (await readFile(`/proc/${pid}/cmdline`, 'utf8')).replaceAll('\0', ' ');
  } catch {
    const { code, output } = await runCommand('ps', ['-ww', '-o', 'command=', '-p', String(pid)]);
    return code === 0 ? output : undefined;
  }
}

function findFreePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer();
    server.once('error', reject);
    server.listen(0, '127.0.0.1', () => {
      const address = server.address();
      server.close(() => resolve(typeof address === 'object' && address ? address.port : 0));
    });
  });
}

/**
 * Builds differ in the libraries they were linked with; asking the program is the only sure way.
 */
async function supportedCompression(cluster: Cluster, binaries: Binaries): Promise<Record<string, string>> {
  const ask = ['-D', cluster.clusterDir, '-c', 'wal_compression=lz4', '-C', 'wal_compression'];
  const { code } = await runCommand(binaries.postgres, ask, cluster.user);
  return code === 0 ? { wal_compression: 'lz4' } : {};
}

/**
 * The cluster's own postgresql.conf comes first and ALTER SYSTEM last, so an operator can still
 * overrule what is here.
 */
async function writeSettings(cluster: Cluster, settings: Record<string, string>): Promise<void> {
  const lines = Object.entries(settings).map(([name, value]) => `${name} = '${value.replaceAll("'", "''")}'`);
  const text = `# Written by Willcall at every start.\ninclude 'postgresql.conf'\n${lines.join('\n')}\n`;
  const file = join(cluster.clusterDir, SETTINGS_FILE);
  const draft = `${file}.${randomBytes(8).toString('hex')}`;
  const handle = await open(draft, 'wx', 0o600);
  try {
    await handle.writeFile(text);
    if (cluster.user) await handle.chown(cluster.user.uid, cluster.user.gid);
  } finally {
    await handle.close();
  }
  await rename(draft, file);
}

/**
 * Sets a big log aside and makes sure that the server may write to the log; returns where its next
 * lines begin.
 */
async function openLog({ logFile, user }: Cluster): Promise<number> {
  const found = await stat(logFile).catch(() => undefined);
  if (found && found.size > LOG_BYTES_MAX) await rename(logFile, `${logFile}.1`).catch(() => {});
  // Root does not follow a link that the account of PostgreSQL may have laid.
  const noFollow = user ? constants.O_NOFOLLOW : 0;
  const handle = await open(logFile, constants.O_CREAT | constants.O_APPEND | constants.O_WRONLY | noFollow, 0o600);
  try {
    if (user) await handle.chown(user.uid, user.gid);
    return (await handle.stat()).size;
  } finally {
    await handle.close();
  }
}

async function readFailures(logFile: string, from: number): Promise<string> {
  const log = await readFile(logFile).catch(() => Buffer.alloc(0));
  const lines = log.subarray(from).toString().split('\n');
  return lines
    .filter((line) => /(FATAL|PANIC|HINT|could not)/.test(line))
    .slice(-4)
    .join('\n');
}
