// The journal against the service itself: what the runtime role may do to it.

import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { CALLER, createQueue } from '../support/calls.ts';
import { openStoreBench, type Session, type StoreBench } from '../support/store.ts';

let bench: StoreBench;
let runtime: Session;

beforeAll(async () => {
  bench = await openStoreBench();
  runtime = await bench.openSession();
  await runtime.rows('set role willcall_runtime');
  await createQueue(bench.openEngine());
});
afterAll(() => bench.stop());

describe('the runtime role', () => {
  it.each([
    ['change an entry', `update willcall.journal set acted_by = 'x'`],
    [
      'change one by insert',
      `insert into willcall.journal select * from willcall.journal
       on conflict on constraint journal_entry_once do update set acted_by = 'x'`,
    ],
    ['delete an entry', 'delete from willcall.journal'],
    ['empty the journal', 'truncate willcall.journal'],
    ['put a trigger on it', 'create trigger t before insert on willcall.journal execute function now()'],
    ['alter it', 'alter table willcall.journal drop constraint journal_entry_once'],
    ['drop it', 'drop table willcall.journal'],
  ])('may not %s', async (_, text) => {
    await expect(runtime.rows(text)).rejects.toMatchObject({ code: '42501' });
    expect(await runtime.value('select count(*) from willcall.journal where acted_by = $1', [CALLER])).toBe(2);
  });
});

describe('an entry', () => {
  const insert = (fields: string) =>
    bench.rows(
      `insert into willcall.journal (entry_no, acted_at, acted_by, subject, action, name, before, after)
       select 100, now(), 'x', 'topic', 'create', 'n', null, '{}'::jsonb where ${fields} is null`,
    );

  it('of a number that is there is refused by name', async () => {
    await insert('null');
    await expect(insert('null')).rejects.toMatchObject({ constraint: 'journal_entry_once' });
  });
});
