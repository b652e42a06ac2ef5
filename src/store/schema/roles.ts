// Schema and runtime role that migrations are written against, made when they are missing.
// Roles belong to the whole server while the migration lock belongs to one database, so another
// instance may overtake every step here; then the step is tried again.

import type { Client } from 'pg';
import { codeOf, MigrationError } from './migration-error.ts';
import type { SchemaNames } from './migration-files.ts';

const ATTEMPTS_MAX = 20;
const INSUFFICIENT_PRIVILEGE = '42501';
/**
 * duplicate_schema, duplicate_object, unique_violation, and what a simultaneous grant raises (tuple
 * concurrently updated).
 */
const OVERTAKEN = new Set(['42P06', '42710', '23505', 'XX000', '40001', '40P01']);

/**
 * Creates the schema when it is missing; throws a MigrationError with the SQL to run when the user
 * may not.
 */
export async function ensureSchema(client: Client, schema: string): Promise<void> {
  const found = await client.query('select from pg_namespace where nspname = $1', [schema]);
  if (found.rowCount !== 0) return;
  try {
    await client.query(`create schema if not exists "${schema}"`);
  } catch (error) {
    const code = codeOf(error);
    if (code === INSUFFICIENT_PRIVILEGE) {
      const user = await quotedUser(client);
      throw new MigrationError(
        `The database user ${user} may not create the schema "${schema}". Have an administrator run, in this database: ` +
          `create schema "${schema}" authorization ${user};`,
        { cause: error },
      );
    }
    if (code === undefined || !OVERTAKEN.has(code)) throw error;
  }
}

/**
 * Creates the runtime role (nologin) when it is missing and makes the connected user a member that
 * can take it on. Returns whether the role is new; throws a MigrationError with the SQL to run when
 * the user may do neither.
 */
export async function ensureRuntimeRole(client: Client, { runtimeRole }: SchemaNames): Promise<boolean> {
  let created = false;
  for (let attempt = 1; ; attempt++) {
    const state = await readRoleState(client, runtimeRole);
    if (state === 'usable') return created;
    try {
      if (state === 'missing') {
        await client.query(`create role "${runtimeRole}" nologin`);
        created = true;
      } else {
        await client.query(`grant "${runtimeRole}" to current_user`);
      }
    } catch (error) {
      const code = codeOf(error);
      if (code === INSUFFICIENT_PRIVILEGE) throw await refusedRole(client, runtimeRole, state, error);
      if (attempt === ATTEMPTS_MAX || code === undefined || !OVERTAKEN.has(code)) throw error;
    }
  }
}

/** Whether there is the runtime role and the connected user can take it on. */
export async function isRuntimeRoleUsable(client: Client, { runtimeRole }: SchemaNames): Promise<boolean> {
  return (await readRoleState(client, runtimeRole)) === 'usable';
}

async function readRoleState(client: Client, role: string): Promise<'missing' | 'foreign' | 'usable'> {
  // Since PostgreSQL 16 the creator of a role is a member that may not `set role` to it; before,
  // membership is enough.
  const { rows } = await client.query<{ usable: boolean }>(
    `select pg_has_role(
              current_user,
              oid,
              case when current_setting('server_version_num')::int >= 160000 then 'SET' else 'MEMBER' end
            ) as usable
       from pg_roles
      where rolname = $1`,
    [role],
  );
  const row = rows[0];
  if (row === undefined) return 'missing';
  return row.usable ? 'usable' : 'foreign';
}

async function refusedRole(client: Client, role: string, state: 'missing' | 'foreign', cause: unknown): Promise<Error> {
  const user = await quotedUser(client);
  const create = state === 'missing' ? `create role "${role}" nologin; ` : '';
  const what = state === 'missing' ? `create the role "${role}"` : `take on the role "${role}"`;
  return new MigrationError(
    `The database user ${user} may not ${what}. Have an administrator run: ${create}grant "${role}" to ${user};`,
    { cause },
  );
}

async function quotedUser(client: Client): Promise<string> {
  const { rows } = await client.query<{ name: string }>('select quote_ident(current_user) as name');
  return rows[0]?.name ?? 'current_user';
}
