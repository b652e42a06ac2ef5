// A database whose clock the test moves: every function of Willcall reads the clock of a schema of
// its own, which is the real one and an offset.

import type { StoreBench } from './store.ts';

/** Gives the bench's database such a clock; `set` moves it by so many seconds from the real one. */
export async function moveClock(bench: StoreBench): Promise<{ set(seconds: number): Promise<void> }> {
  await bench.rows('create schema moved');
  await bench.rows('grant usage on schema moved to public');
  await bench.rows('create table moved.clock as select 0::double precision as seconds');
  await bench.rows('grant select on moved.clock to public');
  await bench.rows(
    `create function moved.clock_timestamp() returns timestamptz language sql volatile as
     $$ select pg_catalog.clock_timestamp() + seconds * interval '1 second' from moved.clock $$`,
  );
  const functions = await bench.rows<{ text: string }>(
    `select pg_get_functiondef(p.oid) as text from pg_proc p
     where p.pronamespace = 'willcall'::regnamespace and p.prosrc like '%clock_timestamp()%'`,
  );
  for (const { text } of functions) {
    await bench.rows(text.replaceAll(/\bclock_timestamp\(\)/g, 'moved.clock_timestamp()'));
  }
  return {
    set: async (seconds) => {
      await bench.rows('update moved.clock set seconds = $1', [seconds]);
    },
  };
}
