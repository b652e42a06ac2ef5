// Packages of peers: installed by this folder's own package.json, so that nobody who does not
// measure pays for them. They are imported by a name that only Node resolves, so that lint, types
// and arrows hold where they are not installed.

import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const folder = fileURLToPath(new URL('..', import.meta.url));

/** Imports a package, or a file of one; `Module` is what the caller uses of it. */
export async function importInstalled<Module>(name: string): Promise<Module> {
  return (await import(name)) as Module;
}

/** Imports a file that a package does not export, by its path below `node_modules`. */
export async function importInstalledFile<Module>(path: string): Promise<Module> {
  return (await import(new URL(`../node_modules/${path}`, import.meta.url).href)) as Module;
}

/** Installs them with `npm ci`, unless they are there; throws with what to do when that fails. */
export async function installPackages(progress: (line: string) => void): Promise<void> {
  if (existsSync(join(folder, 'node_modules', '.package-lock.json'))) {
    return;
  }
  progress(`installing the packages of other systems: npm ci --prefix ${folder}`);
  const path = `${dirname(process.execPath)}:${process.env.PATH ?? ''}`;
  const child = spawn('npm', ['ci', '--prefix', folder, '--no-audit', '--no-fund'], {
    stdio: ['ignore', 'ignore', 'inherit'],
    env: { ...process.env, PATH: path },
  });
  const code = await new Promise<number | null>((resolve) => {
    child.once('error', () => resolve(null));
    child.once('exit', resolve);
  });
  if (code !== 0) {
    throw new Error(
      'The packages of other systems could not be installed. Run "npm ci --prefix test/bench", or measure without them: ' +
        '--peer willcall --peer row-per-message --peer noop',
    );
  }
}
