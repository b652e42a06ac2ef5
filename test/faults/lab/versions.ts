// A newer version of the service, for upgrades: the one of this checkout with a migration more and
// every function's text changed, as a directory of its own that runs as well as this one.

import { cp, mkdir, readdir, readFile, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';

export interface Version {
  /** The program. */
  readonly main: string;
  readonly migrations: string;
}

const ROOT = join(import.meta.dirname, '../../..');
/**
 * What an upgrade may bring: a column that older versions do not know, with a default, on the table
 * that every call reads.
 */
const MIGRATION = `-- Adds a column. Locks: the subscriptions, for a moment.
alter table willcall.subscription add column colour text not null default 'green';
`;

/** Below `directory`. */
export async function makeNewerVersion(directory: string): Promise<Version> {
  const home = join(directory, 'newer');
  await mkdir(home, { recursive: true });
  for (const part of ['src', 'migrations', 'package.json'])
    await cp(join(ROOT, part), join(home, part), { recursive: true });
  await symlink(join(ROOT, 'node_modules'), join(home, 'node_modules'));
  const migrations = join(home, 'migrations');
  await writeFile(join(migrations, '9999-colour.sql'), MIGRATION);
  await changeFunctions({ main: '', migrations }, 'newer');
  return { main: join(home, 'src', 'main.ts'), migrations };
}

/** Gives every function another text, which means the same. */
export async function changeFunctions({ migrations }: Version, mark: string): Promise<void> {
  const functions = join(migrations, 'functions');
  for (const name of await readdir(functions, { recursive: true })) {
    if (!name.endsWith('.sql')) continue;
    const text = await readFile(join(functions, name), 'utf8');
    await writeFile(join(functions, name), `${text.replaceAll(/\n-- Text: .*\n$/g, '\n')}\n-- Text: ${mark}\n`);
  }
}
