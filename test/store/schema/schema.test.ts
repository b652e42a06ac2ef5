// What the schema promises as a whole: it can be distributed by topic, no plan is left to chance,
// and no table has an index by which a lookup of another one's could be served worse.

import { afterAll, beforeAll, expect, it } from 'vitest';
import { openStoreBench, type StoreBench } from '../../support/store.ts';

/**
 * What hot functions read and write row by row; the ledger and the dead letters have a second way
 * in by design.
 */
const HOT_TABLES = [
  'message',
  'delivery',
  'lease',
  'deferred',
  'failure',
  'scheduled',
  'scheduled_sequence',
  'settled_mark',
];
const HOT = [
  'publish',
  'receive',
  'acknowledge',
  'release',
  'extend',
  'reject',
  'expire',
  'receivable',
  'append_scheduled',
];
const SCANS = [
  'due_leases',
  'due_deferred',
  'due_scheduled',
  'due_retention',
  'due_pruning',
  'retain_subscription',
  'prune_topic',
  'prune_ledger',
];

let bench: StoreBench;

beforeAll(async () => {
  bench = await openStoreBench();
});
afterAll(() => bench.stop());

interface Index {
  table: string;
  index: string;
  primary: boolean;
  partial: boolean;
  columns: string[];
}

function indexes(): Promise<Index[]> {
  return bench.rows<Index & Record<string, unknown>>(
    `select t.relname as table, i.relname as index, x.indisprimary as primary, x.indpred is not null as partial,
       array(select pg_get_indexdef(x.indexrelid, n, true) from generate_series(1, x.indnkeyatts) n order by n) as columns
     from pg_index x join pg_class i on i.oid = x.indexrelid join pg_class t on t.oid = x.indrelid
     where t.relnamespace = 'willcall'::regnamespace order by 1, 2`,
  );
}

it('begins the primary key of every table that has topics in it with topic_id', async () => {
  const tables = await bench.rows<{ name: string }>(
    `select c.relname as name from pg_class c join pg_attribute a on a.attrelid = c.oid and a.attname = 'topic_id'
     where c.relnamespace = 'willcall'::regnamespace and c.relkind = 'r'`,
  );
  const first = new Map(
    (await indexes()).filter(({ primary }) => primary).map(({ table, columns }) => [table, columns[0]]),
  );
  expect(tables.length).toBeGreaterThanOrEqual(HOT_TABLES.length);
  expect(tables.map(({ name }) => name).filter((name) => first.get(name) !== 'topic_id')).toEqual([]);
});

it('begins the arguments of every hot function with topic_id', async () => {
  const rows = await bench.rows<{ name: string; first: string }>(
    `select proname as name, proargnames[1] as first from pg_proc
     where pronamespace = 'willcall'::regnamespace and proname = any ($1)`,
    [HOT],
  );
  expect(rows.map(({ name }) => name).sort()).toEqual([...HOT].sort());
  const others = rows.filter(({ first }) => first !== '_topic_id').map(({ name, first }) => [name, first]);
  // The poll's hint takes many at once.
  expect(others).toEqual([['receivable', '_topic_ids']]);
});

it('switches off, for every hot function and every scan, what a plan must not fall back on', async () => {
  const rows = await bench.rows<{ name: string; config: string[] | null }>(
    `select proname as name, proconfig as config from pg_proc
     where pronamespace = 'willcall'::regnamespace and proname = any ($1)`,
    [[...HOT, ...SCANS]],
  );
  expect(rows).toHaveLength(HOT.length + SCANS.length);
  for (const { name, config } of rows) {
    expect([name, config]).toEqual([name, expect.arrayContaining(['enable_seqscan=off', 'enable_bitmapscan=off'])]);
  }
});

it("has in no hot table two indexes that begin alike, so that none can serve another one's lookups", async () => {
  const hot = (await indexes()).filter(({ table }) => HOT_TABLES.includes(table));
  const begin = hot.map(({ table, columns }) => `${table} by ${columns[0]}`);
  expect(begin.filter((each, i) => begin.indexOf(each) !== i)).toEqual([]);
});

it('has no partial index that a lookup by key could take for its own', async () => {
  // Who looks for one of these by its key says of it just what such an index holds: that it lives.
  const partial = (await indexes()).filter((index) => index.partial && index.table !== 'delivery');
  expect(partial.filter(({ table }) => [...HOT_TABLES, 'topic', 'subscription'].includes(table))).toEqual([]);
});

it('names every constraint, so that what is violated can be told', async () => {
  const generated = `select conname from pg_constraint
    where connamespace = 'willcall'::regnamespace and contype in ('c', 'f', 'u', 'p') and conname ~ '_(check|fkey|key1|pkey)\\d*$'`;
  const names = (await bench.rows<{ conname: string }>(generated)).map(({ conname }) => conname);
  expect(names.filter((name) => !/^(migration|function_text)/.test(name))).toEqual([]);
});

it("lets one function alone run with the owner's rights: what prunes the ledger", async () => {
  const functions = await bench.rows<{ name: string }>(
    `select proname as name from pg_proc where pronamespace = 'willcall'::regnamespace and prosecdef`,
  );
  expect(functions.map(({ name }) => name)).toEqual(['prune_ledger']);
});
