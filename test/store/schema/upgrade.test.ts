// Functions brought to new texts while an older instance uses them: what stays the same object, and
// what is made anew.

import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Client } from 'pg';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { migrate } from '../../../src/store/schema/migrate.ts';
import { createEmptyDatabase, type TestDatabase } from '../../support/database.ts';

let database: TestDatabase;
let directory: string;
let client: Client;
beforeEach(async () => {
  database = await createEmptyDatabase();
  directory = await mkdtemp(join(tmpdir(), 'willcall-upgrade-'));
  await mkdir(join(directory, 'functions'));
  client = new Client({ connectionString: database.url });
  await client.connect();
});
afterEach(async () => {
  await client.end();
  await database.drop();
  await rm(directory, { recursive: true, force: true });
});

async function bring(text: string): Promise<void> {
  await writeFile(join(directory, 'functions', 'count.sql'), text);
  await migrate({ ownerUrl: database.url, schema: 'willcall', runtimeRole: 'willcall_runtime', directory });
}

async function versions(): Promise<{ oid: number; result: string }[]> {
  const { rows } = await client.query<{ oid: number; result: string }>(
    `select p.oid, pg_get_function_result(p.oid) as result
     from pg_proc p where p.pronamespace = 'willcall'::regnamespace and p.proname = 'count'`,
  );
  return rows;
}

const text = (returns: string, body: string, argument = '_a integer') =>
  `create function willcall.count(${argument}) returns ${returns} language sql as $$ ${body} $$;`;

describe('a function with a new text', () => {
  it('stays the same object when its signature stays, so that nobody who is calling it misses it', async () => {
    await bring(text('integer', 'select _a + 1'));
    const before = await versions();
    await bring(text('integer', 'select _a + 2'));
    expect(await versions()).toEqual(before);
    expect((await client.query('select willcall.count(1) as sum')).rows).toEqual([{ sum: 3 }]);
  });

  it.each([
    ['its result', text('bigint', 'select _a::bigint + 2')],
    ['the name of an argument', text('integer', 'select _b + 2', '_b integer')],
    ['the type of an argument', text('integer', 'select _a::integer + 2', '_a bigint')],
  ])('is made anew when %s changes, and is there once', async (_what, changed) => {
    await bring(text('integer', 'select _a + 1'));
    const [before] = await versions();
    await bring(changed);
    const after = await versions();
    expect(after).toHaveLength(1);
    expect(after[0]?.oid).not.toBe(before?.oid);
    expect((await client.query('select willcall.count(1)::integer as sum')).rows).toEqual([{ sum: 3 }]);
  });
});
