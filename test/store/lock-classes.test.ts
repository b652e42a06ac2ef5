// Lock classes have names in one file only: a misspelt name elsewhere would lock something else,
// and no test of behaviour would be sure to notice.

import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { openStoreBench, type StoreBench } from '../support/store.ts';

const ROOT = join(import.meta.dirname, '../..');
const LOCKS = 'migrations/functions/locks.sql';
/** Takes a lock of PostgreSQL's own accord, or makes a class out of a name. */
const NAMES_A_CLASS = /\bhashtext\s*\(|pg_(?:try_)?advisory_xact_lock/;
/** This file, and tests that try what a stranger may do to PostgreSQL's functions. */
const EXEMPT = [
  'test/store/lock-classes.test.ts',
  'test/store/schema/migrate.test.ts',
  'test/store/schema/least-privilege.test.ts',
];

let bench: StoreBench;
beforeAll(async () => {
  bench = await openStoreBench();
});
afterAll(() => bench.stop());

async function listTexts(): Promise<string[]> {
  const lists = ['migrations', 'src', 'test', 'docs'].map(async (directory) => {
    const names = await readdir(join(ROOT, directory), { recursive: true });
    return names
      .filter((name) => /\.(sql|ts)$/.test(name) && !name.includes('node_modules'))
      .map((name) => join(directory, name));
  });
  return (await Promise.all(lists)).flat();
}

it('are named in locks.sql and nowhere else', async () => {
  const naming: string[] = [];
  for (const name of await listTexts()) {
    if (!EXEMPT.includes(name) && NAMES_A_CLASS.test(await readFile(join(ROOT, name), 'utf8'))) naming.push(name);
  }
  expect(naming).toEqual([LOCKS]);
});

it('are different numbers, which PostgreSQL knows when it plans', async () => {
  const classes = await bench.rows<{ name: string; volatility: string }>(
    `select proname as name, provolatile as volatility from pg_proc
     where pronamespace = 'willcall'::regnamespace and proname like 'lock\\_%' and pronargs = 0 order by 1`,
  );
  expect(classes).toEqual(
    ['lock_journal', 'lock_receive', 'lock_settle', 'lock_topic'].map((name) => ({ name, volatility: 'i' })),
  );
  const calls = classes.map(({ name }) => `(willcall.${name}())`).join(', ');
  expect(await bench.value(`select count(distinct n) from (values ${calls}) c (n)`)).toBe(classes.length);
});
