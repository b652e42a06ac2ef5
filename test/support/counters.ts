// What a session touched, by PostgreSQL's own count: pages and sequential scans by table, scans by
// index.

import type { Db } from '../../src/store/postgres/db.ts';
import type { StoreBench } from './store.ts';

export interface Counters {
  pages: Record<string, number>;
  seqScans: Record<string, number>;
  indexScans: Record<string, number>;
  /** Of indexes: entries that scans returned. */
  entriesRead: Record<string, number>;
}

/**
 * What the one session of `db` has touched so far: its counts are published at the end of the
 * statement that asks for it.
 */
export async function readCounters(db: Db, bench: StoreBench): Promise<Counters> {
  await db.call(db.prepare('flush', 'select pg_stat_force_next_flush()'), []);
  await bench.rows('select pg_stat_force_next_flush()');
  const by = async (text: string) =>
    Object.fromEntries(
      (await bench.rows<{ name: string; count: number }>(text)).map(({ name, count }) => [name, count]),
    );
  return {
    pages: await by(
      `select relname as name, heap_blks_hit + heap_blks_read + coalesce(idx_blks_hit + idx_blks_read, 0)
         + coalesce(toast_blks_hit + toast_blks_read + tidx_blks_hit + tidx_blks_read, 0) as count
       from pg_statio_user_tables where schemaname = 'willcall'`,
    ),
    seqScans: await by(
      `select relname as name, seq_scan as count from pg_stat_user_tables where schemaname = 'willcall'`,
    ),
    indexScans: await by(
      `select indexrelname as name, idx_scan as count from pg_stat_user_indexes where schemaname = 'willcall'`,
    ),
    entriesRead: await by(
      `select indexrelname as name, idx_tup_read as count from pg_stat_user_indexes where schemaname = 'willcall'`,
    ),
  };
}

/** What grew between two readings, by name. */
export function growth(before: Record<string, number>, after: Record<string, number>): Record<string, number> {
  const grown = Object.entries(after).map(([name, count]): [string, number] => [name, count - (before[name] ?? 0)]);
  return Object.fromEntries(grown.filter(([, count]) => count > 0));
}
