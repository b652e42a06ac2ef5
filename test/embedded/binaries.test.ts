// The programs of the embedded PostgreSQL, wherever npm left them and whatever it left out.

import { execFile } from 'node:child_process';
import { chmod, lstat, mkdir, mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { promisify } from 'node:util';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { findBinaries } from '../../src/embedded/binaries.ts';
import { chooseProcessUser } from '../../src/embedded/user.ts';

const run = promisify(execFile);
const RUNS_AS_ROOT = process.getuid?.() === 0;

let directory: string;
let packageDir: string;
let sharedDir: string;

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'willcall-binaries-'));
  await chmod(directory, 0o755);
  sharedDir = join(directory, 'shared');
  packageDir = join(directory, 'closed', 'package');
  await mkdir(dirname(packageDir), { mode: 0o700 });
});

afterEach(async () => {
  await rm(directory, { recursive: true, force: true });
});

/** A package as it is after an installation without install scripts: no library links. */
async function copyOwnPackage(): Promise<{ links: string[]; version: string }> {
  const own = dirname(dirname(dirname((await findBinaries(undefined, sharedDir)).postgres)));
  await run('cp', ['-a', own, packageDir]);
  const list: { target: string }[] = JSON.parse(await readFile(join(packageDir, 'native/pg-symlinks.json'), 'utf8'));
  const links = list.map((each) => each.target);
  for (const link of links) await rm(join(packageDir, link), { force: true });
  const { version } = JSON.parse(await readFile(join(packageDir, 'package.json'), 'utf8'));
  return { links, version };
}

it('are copied once to where the account that runs them can go when it cannot go where npm put them', async () => {
  const { version } = await copyOwnPackage();
  const user = await chooseProcessUser();
  const both = await Promise.all([
    findBinaries(user, sharedDir, packageDir),
    findBinaries(user, sharedDir, packageDir),
  ]);
  expect(both[0]).toEqual(both[1]);
  const home = RUNS_AS_ROOT ? join(sharedDir, `postgres-${version}`) : packageDir;
  expect(both[0]?.postgres).toBe(join(home, 'native', 'bin', 'postgres'));
  expect((await run(both[0]?.postgres ?? '', ['--version'], user)).stdout).toMatch(/PostgreSQL/);
  expect(await readdir(sharedDir).catch(() => [])).toEqual(RUNS_AS_ROOT ? [`postgres-${version}`] : []);
  expect((await stat(dirname(packageDir))).mode & 0o777).toBe(0o700);
});

it('get the library links that an installation without install scripts lacks', async () => {
  const { links } = await copyOwnPackage();
  await findBinaries(undefined, sharedDir, packageDir);
  expect(links.length).toBeGreaterThan(0);
  for (const link of links) expect((await lstat(join(packageDir, link))).isSymbolicLink()).toBe(true);
});

it('are refused with the command that completes them when those links cannot be made', async () => {
  const links = [{ source: 'native/lib/libpq.so.5.18', target: 'native/absent/libpq.so.5' }];
  await mkdir(join(packageDir, 'native'), { recursive: true });
  await writeFile(join(packageDir, 'native/pg-symlinks.json'), JSON.stringify(links));
  await expect(findBinaries(undefined, sharedDir, packageDir)).rejects.toThrow(
    /libraries .* are incomplete \(native\/absent\/libpq\.so\.5\).* run "npm rebuild"/,
  );
});

it('are refused with another way to go when they do not run on the machine', async () => {
  await mkdir(join(packageDir, 'native/bin'), { recursive: true });
  await writeFile(join(packageDir, 'native/bin/postgres'), '#!/nowhere/ld-linux.so\n', { mode: 0o755 });
  await expect(findBinaries(undefined, sharedDir, packageDir)).rejects.toThrow(
    /does not run on this machine \(.*ENOENT\): set DATABASE_URL to a PostgreSQL of your own/,
  );
});
