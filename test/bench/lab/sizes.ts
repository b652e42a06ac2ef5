// How large the service's tables and their indexes are, and how many dead rows vacuum has yet to
// take.

import pg from 'pg';

export interface RelationSize {
  readonly table: string;
  /** With its TOAST table, without indexes. */
  readonly tableBytes: number;
  readonly indexBytes: number;
  readonly deadRows: number;
}

export interface SizeReader {
  read(): Promise<RelationSize[]>;
  /** Lets the owner's policy prune the ledger, which by default is kept for ever. */
  keepLedgerFor(seconds: number): Promise<void>;
  close(): Promise<void>;
}

const SIZES = `
  select c.relname as table, pg_table_size(c.oid)::float8 as "tableBytes", pg_indexes_size(c.oid)::float8 as "indexBytes",
    coalesce(s.n_dead_tup, 0)::float8 as "deadRows"
  from pg_class c
  join pg_namespace n on n.oid = c.relnamespace
  left join pg_stat_user_tables s on s.relid = c.oid
  where n.nspname = 'willcall' and c.relkind in ('r', 'p')
  order by c.relname`;

export async function openSizeReader(databaseUrl: string): Promise<SizeReader> {
  const client = new pg.Client({ connectionString: databaseUrl, application_name: 'bench sizes' });
  await client.connect();
  return {
    read: async () => (await client.query<RelationSize>(SIZES)).rows,
    keepLedgerFor: async (seconds) => {
      await client.query('update willcall.ledger_policy set retention_seconds = $1', [seconds]);
    },
    close: () => client.end(),
  };
}
