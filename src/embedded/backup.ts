// Backup of the embedded PostgreSQL: a copy of the data directory, taken while the server runs.
// It follows PostgreSQL's low-level API for base backups
// (https://www.postgresql.org/docs/current/continuous-archiving.html): the files are copied between
// pg_backup_start and pg_backup_stop, and with them the write-ahead log that was written meanwhile.
// The copy is a data directory: a service that is started on it recovers what was committed when
// the backup ended. It appears whole, in one rename, or not at all.

import { randomBytes } from 'node:crypto';
import { mkdir, readdir, readFile, realpath, rename, rm, stat } from 'node:fs/promises';
import { dirname, join, resolve } from 'node:path';
import type { Client } from 'pg';
import { openSession, sessionConfig } from '../store/postgres/session.ts';
import { codeOf, messageOf } from '../store/schema/migration-error.ts';
import { CLUSTER_DATABASE } from './cluster.ts';
import { EmbeddedPostgresError } from './command.ts';
import { CopiedTree, syncPath } from './copied-tree.ts';
import { clusterUrl } from './lock.ts';
import { isServing, readPostmaster } from './postmaster.ts';
import { startEmbeddedPostgres } from './server.ts';

export interface BackupOptions {
  /** The data directory of a service, which may be running. */
  readonly dataDir: string;
  /** Where the copy goes; must not exist. */
  readonly folder: string;
  /** Server settings over our own, for a server that has to be started for the backup. */
  readonly settings?: Record<string, string>;
}

/** A finished backup. */
export interface Backup {
  readonly folder: string;
  readonly files: number;
  readonly bytes: number;
}

interface Source {
  readonly dataDir: string;
  readonly clusterDir: string;
}

/** What PostgreSQL makes anew, or must not find in a copy. */
const LEFT_OUT =
  /^(postmaster\.(pid|opts)|\.s\.PGSQL\..*|pgsql_tmp.*|pg_internal\.init.*|backup_label|tablespace_map)$/;
/** Directories that are copied empty: what is in them does not outlive a server. */
const EMPTIED = new Set([
  'pg_wal',
  'pg_replslot',
  'pg_dynshmem',
  'pg_notify',
  'pg_serial',
  'pg_snapshots',
  'pg_stat_tmp',
  'pg_subtrans',
]);
/** PostgreSQL's documentation wants it copied after everything else. */
const CONTROL_FILE = join('global', 'pg_control');
const SEGMENT = /^[0-9A-F]{24}$/;
/** Of the data directory itself: the log, and what a start that was killed left behind. */
const NOT_KEPT = /^postgres\.(log|init-)|^postgres-password\.|^admin-key\./;

/**
 * Backs up the database and the keys of a data directory. A server that does not run is started for
 * as long as it takes. Throws an EmbeddedPostgresError with a sentence for the operator.
 */
export async function backUpEmbeddedPostgres(options: BackupOptions): Promise<Backup> {
  const source = await findSource(options.dataDir);
  const folder = resolve(options.folder);
  await refuseExisting(folder);
  const draft = `${folder}.draft-${randomBytes(6).toString('hex')}`;
  const tree = new CopiedTree();
  try {
    await mkdir(dirname(folder), { recursive: true });
    // Root's server runs as another account, which must be able to enter the copy.
    await mkdir(draft, { mode: process.getuid?.() === 0 ? 0o711 : 0o700 });
    await withServer(source, options.settings ?? {}, (client) => copyCluster(client, source, draft, tree));
    await copyKeys(source.dataDir, draft, tree);
    await tree.sync();
    await rename(draft, folder);
    await syncPath(dirname(folder));
  } catch (error) {
    await rm(draft, { recursive: true, force: true }).catch(() => {});
    if (error instanceof EmbeddedPostgresError) throw error;
    throw new EmbeddedPostgresError(`The backup to ${folder} failed: ${messageOf(error)}. Nothing of it was kept.`, {
      cause: error,
    });
  }
  return { folder, files: tree.files, bytes: tree.bytes };
}

async function findSource(dataDir: string): Promise<Source> {
  try {
    return { dataDir: await realpath(dataDir), clusterDir: await realpath(join(dataDir, 'postgres')) };
  } catch (error) {
    if (codeOf(error) !== 'ENOENT') throw error;
    throw new EmbeddedPostgresError(
      `There is no embedded database in ${resolve(dataDir)}: set WILLCALL_DATA_DIR to the data directory of the service.`,
      { cause: error },
    );
  }
}

async function refuseExisting(folder: string): Promise<void> {
  if ((await stat(folder).catch(() => null)) === null) return;
  throw new EmbeddedPostgresError(
    `${folder} exists already: name a folder that does not, for each backup another one.`,
  );
}

/** With a session of the superuser's on the running server, or on one that is started for it. */
async function withServer(
  source: Source,
  settings: Record<string, string>,
  work: (client: Client) => Promise<void>,
): Promise<void> {
  const running = await readPostmaster(source.clusterDir);
  if (running?.port !== undefined && (await isServing(running, source.clusterDir))) {
    const password = (await readFile(join(source.dataDir, 'postgres-password'), 'utf8')).trim();
    await withSession(clusterUrl({ port: running.port, password }, CLUSTER_DATABASE), work);
    return;
  }
  const server = await startEmbeddedPostgres({ dataDir: source.dataDir, settings });
  try {
    await withSession(server.url, work);
  } finally {
    await server.stop();
  }
}

async function withSession(url: string, work: (client: Client) => Promise<void>): Promise<void> {
  const patience = { statement_timeout: '0', lock_timeout: '0' };
  const client = await openSession({
    ...sessionConfig({ url, runtimeRole: null }, patience),
    application_name: 'willcall backup',
    query_timeout: 0,
  });
  try {
    await work(client);
  } finally {
    // Also ends a backup that was begun, and its slot.
    await client.end().catch(() => {});
  }
}

async function copyCluster(client: Client, { clusterDir }: Source, draft: string, tree: CopiedTree): Promise<void> {
  const target = join(draft, 'postgres');
  // Keeps the write-ahead log of this time from being recycled; it goes with the session.
  await client.query(`select pg_create_physical_replication_slot($1, immediately_reserve => true, temporary => true)`, [
    `willcall_backup_${randomBytes(6).toString('hex')}`,
  ]);
  await client.query(`select pg_backup_start('willcall', fast => true)`);
  await tree.copy(clusterDir, target, isCopied);
  await tree.copyFile(join(clusterDir, CONTROL_FILE), join(target, CONTROL_FILE));
  const { rows } = await client.query<{ label: string; tablespaces: string; last: string }>(
    `select labelfile as label, spcmapfile as tablespaces, pg_walfile_name(lsn) as last
       from pg_backup_stop(wait_for_archive => false)`,
  );
  const [stopped] = rows;
  if (stopped === undefined) throw new Error('PostgreSQL did not end the backup');
  if (stopped.tablespaces !== '') throw new Error('the database has tablespaces outside its directory');
  await tree.write(join(target, 'backup_label'), stopped.label, clusterDir);
  await copyLog(clusterDir, target, { first: firstSegment(stopped.label), last: stopped.last }, tree);
}

/** Decides about each path below the cluster's directory. */
function isCopied(path: string, name: string): 'whole' | 'empty' | 'not' {
  if (LEFT_OUT.test(name) || path === CONTROL_FILE) return 'not';
  return EMPTIED.has(path) ? 'empty' : 'whole';
}

function firstSegment(label: string): string {
  const first = /^START WAL LOCATION: .* \(file ([0-9A-F]{24})\)$/m.exec(label)?.[1];
  if (first === undefined) throw new Error('the backup label names no write-ahead log');
  return first;
}

/** The segments of the write-ahead log from the first to the last, both included. */
async function copyLog(
  clusterDir: string,
  target: string,
  { first, last }: { first: string; last: string },
  tree: CopiedTree,
): Promise<void> {
  const names = await readdir(join(clusterDir, 'pg_wal'));
  const wanted = names.filter((name) => SEGMENT.test(name) && name >= first && name <= last).sort();
  if (wanted[0] !== first) throw new Error(`the write-ahead log ${first} is missing`);
  const histories = names.filter((name) => name.endsWith('.history'));
  for (const name of [...histories, ...wanted]) {
    await tree.copyFile(join(clusterDir, 'pg_wal', name), join(target, 'pg_wal', name));
  }
}

/** The files beside the cluster: its password, the admin key, and what else the service keeps. */
async function copyKeys(dataDir: string, draft: string, tree: CopiedTree): Promise<void> {
  for (const entry of await readdir(dataDir, { withFileTypes: true })) {
    if (!entry.isFile() || NOT_KEPT.test(entry.name)) continue;
    await tree.copyFile(join(dataDir, entry.name), join(draft, entry.name));
  }
}
