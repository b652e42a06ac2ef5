// Hot statements on a connection: what goes in comes out, whatever it is, and what fails leaves the
// connection good for the next one.

import pg from 'pg';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createHotRunner } from '../../../src/store/postgres/hot-call.ts';
import { createTypeParser } from '../../../src/store/postgres/types.ts';
import { openStoreBench, type StoreBench } from '../../support/store.ts';

let bench: StoreBench;
let pool: pg.Pool;
let client: pg.PoolClient;
let made = 0;

beforeAll(async () => {
  bench = await openStoreBench();
  pool = new pg.Pool({ connectionString: bench.database.url, max: 1, query_timeout: 5_000 });
  client = await pool.connect();
});
afterAll(async () => {
  client.release();
  await pool.end();
  await bench.stop();
});

const runHot = createHotRunner(createTypeParser());

function prepare(text: string) {
  made += 1;
  return { name: `test_${made}`, text };
}

const run = (text: string, values: unknown[] = []) => runHot(client, prepare(text), values);

describe('parameters and columns', () => {
  const now = new Date('2026-03-01T12:34:56.789Z');

  it.each<[string, unknown, unknown]>([
    ['integer', 7, 7],
    ['bigint', 2n ** 52n, 2 ** 52],
    ['boolean', false, false],
    ['double precision', 0.25, 0.25],
    ['timestamptz', now, now],
    ['text', 'O\'Neil "\\" {,} é', 'O\'Neil "\\" {,} é'],
    ['text', '', ''],
    ['text', null, null],
    ['bytea', Buffer.from([0, 255, 92]), Buffer.from([0, 255, 92])],
    ['integer[]', [], []],
    ['integer[]', [1, null, -3], [1, null, -3]],
    ['bigint[]', [1n, 2 ** 52], [1, 2 ** 52]],
    [
      'text[]',
      ['a', null, '', 'NULL', '"', '\\', ',', '{}', ' b\n', 'é'],
      ['a', null, '', 'NULL', '"', '\\', ',', '{}', ' b\n', 'é'],
    ],
    ['text[]', ['a', null, 'text/xml'], ['a', null, 'text/xml']],
    ['text[]', [], []],
    ['timestamptz[]', [now, null], [now, null]],
    ['timestamptz[]', [], []],
  ])('%s comes back as it went (%#)', async (type, value, expected) => {
    expect(await run(`select $1::${type} as value`, [value])).toEqual([{ value: expected }]);
  });

  it('a list of what no statement takes is refused before anything is sent', async () => {
    await expect(run('select $1::text[]', [[{}]])).rejects.toThrow('a list cannot hold [object Object]');
    expect(await run('select 1 as one')).toEqual([{ one: 1 }]);
  });

  it('a column is read as its statement says, each time', async () => {
    const statement = {
      ...prepare("select 'aGk=' as secret, 'aGk=' as plain"),
      readers: { secret: (text: string) => Buffer.from(text, 'base64').toString() },
    };
    for (let run = 0; run < 2; run += 1) {
      expect(await runHot(client, statement, [])).toEqual([{ secret: 'hi', plain: 'aGk=' }]);
    }
  });

  it('instants that differ by a microsecond stay apart', async () => {
    const [row] = await run(
      "select '2026-01-01 00:00:00.001+00'::timestamptz as a, '2026-01-01 00:00:00.002+00'::timestamptz as b",
    );
    expect(row).toEqual({ a: new Date('2026-01-01T00:00:00.001Z'), b: new Date('2026-01-01T00:00:00.002Z') });
  });
});

describe('a statement', () => {
  it('gives the same rows each time, none of which another run changes', async () => {
    const statement = prepare('select n, null::text as nothing from generate_series(1, $1::integer) n');
    const first = await runHot(client, statement, [2]);
    const second = await runHot(client, statement, [3]);
    const none = await runHot(client, statement, [0]);
    expect(first).toEqual([
      { n: 1, nothing: null },
      { n: 2, nothing: null },
    ]);
    expect(second).toHaveLength(3);
    expect(none).toEqual([]);
  });

  it('that fails in the middle says why, and can be run again', async () => {
    const statement = prepare('select 1 / (3 - n) as x from generate_series(1, $1::integer) n');
    await expect(runHot(client, statement, [3])).rejects.toMatchObject({ code: '22012' });
    expect(await runHot(client, statement, [1])).toEqual([{ x: 0 }]);
  });

  it('that cannot be prepared says why, and can be once it is possible', async () => {
    const statement = prepare('select * from to_come');
    await expect(runHot(client, statement, [])).rejects.toMatchObject({ code: '42P01' });
    await bench.rows('create table public.to_come as select 5 as five');
    expect(await runHot(client, statement, [])).toEqual([{ five: 5 }]);
  });

  it('whose rows have changed their shape is refused, never misread', async () => {
    await bench.rows('create table public.changing as select 1 as a');
    const statement = prepare('select * from changing');
    expect(await runHot(client, statement, [])).toEqual([{ a: 1 }]);
    await bench.rows("alter table public.changing add column b text default 'x'");
    await expect(runHot(client, statement, [])).rejects.toMatchObject({ code: '0A000' });
  });

  it('that is not answered in time is given up', async () => {
    const impatient = new pg.Client({ connectionString: bench.database.url, query_timeout: 100 });
    await impatient.connect();
    const statement = prepare('select pg_sleep(30)');
    await expect(runHot(impatient as unknown as pg.PoolClient, statement, [])).rejects.toThrow('Query read timeout');
    impatient.on('error', () => {});
    await bench.rows("select pg_terminate_backend(pid) from pg_stat_activity where query = 'select pg_sleep(30)'");
  });

  it('runs on a new connection as on an old one', async () => {
    const statement = prepare('select $1::integer + 1 as next');
    expect(await runHot(client, statement, [1])).toEqual([{ next: 2 }]);
    const other = new pg.Client({ connectionString: bench.database.url });
    await other.connect();
    expect(await runHot(other as unknown as pg.PoolClient, statement, [2])).toEqual([{ next: 3 }]);
    await other.end();
  });
});
