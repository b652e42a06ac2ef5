// Embedded cluster: where its files lie, and how they are made.
// <dataDir>/postgres is the cluster, or a link to it when root's data directory is closed to the
// account that runs PostgreSQL. It appears whole, in one rename or one link, so that a crash or a
// race leaves no half of a cluster behind.

import { createHash, randomBytes } from 'node:crypto';
import {
  access,
  chown,
  constants,
  link,
  lstat,
  mkdir,
  mkdtemp,
  open,
  readdir,
  readFile,
  realpath,
  rename,
  rm,
  stat,
  symlink,
  writeFile,
} from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { codeOf, messageOf } from '../store/schema/migration-error.ts';
import { type Binaries, makeSharedDir } from './binaries.ts';
import { EmbeddedPostgresError, type ProcessUser, runCommand } from './command.ts';
import { canEnter } from './user.ts';

/** The cluster's superuser and the service's database. */
export const CLUSTER_USER = 'willcall';
export const CLUSTER_DATABASE = 'willcall';

/**
 * A cluster that exists: its real directory, the account that owns it, its password and its log.
 */
export interface Cluster {
  dataDir: string;
  clusterDir: string;
  user: ProcessUser | undefined;
  password: string;
  logFile: string;
}

/** What is needed to find or make a cluster. `sync` false skips the flush to disk after initdb. */
export interface ClusterOptions {
  dataDir: string;
  sharedDir: string;
  user: ProcessUser | undefined;
  binaries: Binaries;
  sync: boolean;
}

const CLUSTER_NAME = 'postgres';
const DRAFT = /^postgres\.init-|^postgres-password\./;
const PASSWORD_BYTES = 32;

/** Finds the cluster of a data directory, or makes one there. */
export async function openCluster(options: ClusterOptions): Promise<Cluster> {
  const dataDir = await makeDataDir(options.dataDir);
  const entry = join(dataDir, CLUSTER_NAME);
  const existed = await exists(entry);
  const password = await readOrMakePassword(dataDir, existed);
  if (!existed) {
    const inside = await canEnter(options.user, dataDir);
    await (inside ? createInside(options, dataDir, entry) : createElsewhere(options, dataDir, entry));
  }
  const clusterDir = await realpath(entry).catch((error: unknown) => {
    if (codeOf(error) !== 'ENOENT') throw closedCluster(entry, error);
    throw new EmbeddedPostgresError(
      `${entry} points to a directory that does not exist: restore that directory, or delete ${entry} to begin with an ` +
        'empty database.',
      { cause: error },
    );
  });
  await checkVersion(clusterDir, options.binaries);
  const user = await checkOwner(clusterDir, options.user);
  const logDir = (await canEnter(user, dataDir)) ? dataDir : dirname(clusterDir);
  return { dataDir, clusterDir, user, password, logFile: join(logDir, 'postgres.log') };
}

/**
 * Removes what starts that were killed half-way left in the data directory. Only for the holder of
 * its lock.
 */
export async function removeDrafts(dataDir: string): Promise<void> {
  for (const name of await readdir(dataDir)) {
    if (DRAFT.test(name)) await rm(join(dataDir, name), { recursive: true, force: true });
  }
}

async function giveTo(user: ProcessUser | undefined, path: string): Promise<void> {
  if (user) await chown(path, user.uid, user.gid);
}

async function makeDataDir(path: string): Promise<string> {
  try {
    await mkdir(path, { recursive: true });
    await access(path, constants.W_OK);
    return await realpath(path);
  } catch (error) {
    throw new EmbeddedPostgresError(
      `The data directory ${path} cannot be used (${messageOf(error)}): set WILLCALL_DATA_DIR to a directory that ` +
        'Willcall may write to.',
      { cause: error },
    );
  }
}

async function exists(path: string): Promise<boolean> {
  try {
    await lstat(path);
    return true;
  } catch (error) {
    if (codeOf(error) === 'ENOENT') return false;
    throw error;
  }
}

async function readOrMakePassword(dataDir: string, clusterExists: boolean): Promise<string> {
  const file = join(dataDir, 'postgres-password');
  if (!clusterExists && !(await exists(file))) {
    const draft = `${file}.${randomBytes(8).toString('hex')}`;
    await writeFile(draft, `${randomBytes(PASSWORD_BYTES).toString('base64url')}\n`, {
      mode: 0o600,
      flag: 'wx',
      flush: true,
    });
    // A link fails when another start was faster, and shows the file with all its bytes when it was
    // not.
    await link(draft, file).catch((error: unknown) => {
      if (codeOf(error) !== 'EEXIST') throw error;
    });
    await rm(draft);
  }
  try {
    return (await readFile(file, 'utf8')).trim();
  } catch (error) {
    throw new EmbeddedPostgresError(
      `The password of the database in ${dataDir} cannot be read from ${file} (${codeOf(error)}): restore that file, or ` +
        'start Willcall as the user that made it.',
      { cause: error },
    );
  }
}

async function createInside(options: ClusterOptions, dataDir: string, entry: string): Promise<void> {
  const draft = await mkdtemp(join(dataDir, `${CLUSTER_NAME}.init-`));
  try {
    await initialize(options, dataDir, draft);
    // Fails when another start was faster: a cluster is never empty, and a directory replaces only
    // an empty one.
    await rename(join(draft, CLUSTER_NAME), entry);
    await syncDirectory(dataDir);
  } catch (error) {
    if (!(await exists(entry))) throw error;
  } finally {
    await rm(draft, { recursive: true, force: true });
  }
}

async function createElsewhere(options: ClusterOptions, dataDir: string, entry: string): Promise<void> {
  await makeSharedDir(options.sharedDir);
  const hash = createHash('sha256').update(dataDir).digest('hex').slice(0, 16);
  // Every try has a directory of its own: the link decides which one is the cluster.
  const home = await mkdtemp(join(options.sharedDir, `${hash}-`));
  try {
    await initialize(options, dataDir, home);
    await syncDirectory(home);
    await symlink(join(home, CLUSTER_NAME), entry);
    await syncDirectory(dataDir);
  } catch (error) {
    await rm(home, { recursive: true, force: true });
    if (!(await exists(entry))) throw error;
  }
}

async function initialize({ binaries, user, sync }: ClusterOptions, dataDir: string, draft: string): Promise<void> {
  const passwordFile = join(draft, 'password');
  await writeFile(passwordFile, await readFile(join(dataDir, 'postgres-password')), { mode: 0o600, flag: 'wx' });
  // In this order: in a directory that is already theirs, a link could lead root's chown astray.
  await giveTo(user, passwordFile);
  await giveTo(user, draft);
  const { code, output } = await runCommand(
    binaries.initdb,
    [
      `--pgdata=${join(draft, CLUSTER_NAME)}`,
      `--username=${CLUSTER_USER}`,
      `--pwfile=${passwordFile}`,
      '--auth=scram-sha-256',
      '--encoding=UTF8',
      '--locale=C',
      '--locale-provider=builtin',
      '--builtin-locale=C.UTF-8',
      '--data-checksums',
      '--no-instructions',
      ...(sync ? [] : ['--no-sync']),
    ],
    user,
  );
  await rm(passwordFile);
  if (code !== 0) {
    throw new EmbeddedPostgresError(`The database could not be created in ${dataDir}: ${output.trim()}`);
  }
}

async function checkVersion(clusterDir: string, binaries: Binaries): Promise<void> {
  const ours = binaries.version.split('.')[0];
  const theirs = await readFile(join(clusterDir, 'PG_VERSION'), 'utf8').catch((error: unknown) => {
    if (codeOf(error) !== 'ENOENT') throw closedCluster(clusterDir, error);
    throw new EmbeddedPostgresError(
      `${clusterDir} is not a PostgreSQL cluster: move it away to begin with an empty database.`,
      { cause: error },
    );
  });
  if (theirs.trim() !== ours) {
    throw new EmbeddedPostgresError(
      `The data in ${clusterDir} was made by PostgreSQL ${theirs.trim()}, but this Willcall brings PostgreSQL ${ours}: ` +
        'dump it with the Willcall that made it, move it away, and restore the dump into the new one.',
    );
  }
}

/** An existing cluster is run by the account that owns it, whoever would run a new one. */
async function checkOwner(clusterDir: string, user: ProcessUser | undefined): Promise<ProcessUser | undefined> {
  const { uid, gid } = await stat(clusterDir);
  if (user === undefined) {
    if (process.getuid && process.getuid() !== uid) throw closedCluster(clusterDir);
    return undefined;
  }
  if (uid === 0) {
    throw new EmbeddedPostgresError(
      `The data in ${clusterDir} belongs to root, as whom PostgreSQL does not run: run ` +
        `"chown -R ${user.uid}:${user.gid} ${clusterDir}" and start again.`,
    );
  }
  const owner = { uid, gid };
  if (await canEnter(owner, clusterDir)) return owner;
  throw new EmbeddedPostgresError(
    `The account that runs PostgreSQL (uid ${uid}) cannot enter ${clusterDir}: open the directories above it to that ` +
      'account, or set WILLCALL_DATA_DIR to another directory.',
  );
}

function closedCluster(clusterDir: string, cause?: unknown): EmbeddedPostgresError {
  return new EmbeddedPostgresError(
    `The data in ${clusterDir} belongs to another user: start Willcall as the user that first started it, or set ` +
      'WILLCALL_DATA_DIR to another directory.',
    { cause },
  );
}

async function syncDirectory(directory: string): Promise<void> {
  // Windows cannot open a directory; its file system journals renames.
  if (process.platform === 'win32') return;
  const handle = await open(directory);
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}
