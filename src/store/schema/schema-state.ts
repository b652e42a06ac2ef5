// Schema check: whether a database is up to date with this version, read without changing anything.
// Then a start needs no more than the rights of the runtime role, and the owner's password need not
// be where the service runs (docs/operations.md).

import type { Client } from 'pg';
import { codeOf } from './migration-error.ts';
import { type MigrationFiles, migrationName, type SchemaNames } from './migration-files.ts';
import { isRuntimeRoleUsable } from './roles.ts';

/** insufficient_privilege, undefined_table, invalid_schema_name: missing, or not visible. */
const CANNOT_TELL = new Set(['42501', '42P01', '3F000']);

/** False also where the user may not read the state. */
export async function isUpToDate(client: Client, names: SchemaNames, files: MigrationFiles): Promise<boolean> {
  const texts = [...files.functions, ...(files.grants ? [files.grants] : [])];
  const wanted = [...files.migrations.map(migrationName), ...texts.map(({ name, sha256 }) => `${name} ${sha256}`)];
  try {
    const { rows } = await client.query<{ applied: string }>(
      `select name as applied from "${names.schema}".migration
       union all
       select name || ' ' || sha256 from "${names.schema}".function_text`,
    );
    const applied = new Set(rows.map((row) => row.applied));
    const same = applied.size === wanted.length && wanted.every((each) => applied.has(each));
    return same && (await isRuntimeRoleUsable(client, names));
  } catch (error) {
    if (CANNOT_TELL.has(codeOf(error) ?? '')) return false;
    throw error;
  }
}
