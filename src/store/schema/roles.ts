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

/** The runtime role and the schema, and the login that the service will use, if it is another. */
export interface Principals extends SchemaNames {
  readonly serviceLogin?: string | undefined;
}

/** What the connected user may not do, and the statements that do it for the user. */
interface Refusal {
  readonly what: string;
  readonly statements: string;
  readonly cause: unknown;
}

/**
 * Creates the runtime role (nologin) and the schema when they are missing, and makes the connected
 * user a member that can take the role on. Returns whether the role is new. Throws one
 * MigrationError with all the statements to run when the user may not.
 */
export async function ensureRoleAndSchema(client: Client, principals: Principals): Promise<boolean> {
  const role = await ensureRuntimeRole(client, principals.runtimeRole);
  const schema = await ensureSchema(client, principals.schema);
  const refusals = [role.refusal, schema].filter((refusal) => refusal !== null);
  if (refusals.length === 0) return role.created;
  const statements = refusals.map((refusal) => refusal.statements);
  const membership = await missingMembership(client, principals);
  if (membership !== null) statements.push(membership);
  const where = schema === null ? '' : ', in this database';
  throw new MigrationError(
    `The database user ${await quotedUser(client)} may not ${refusals.map(({ what }) => what).join(', nor ')}. ` +
      `Have an administrator run${where}: ${statements.join(' ')}`,
    { cause: refusals[0]?.cause },
  );
}

/** Whether there is the runtime role and the connected user can take it on. */
export async function isRuntimeRoleUsable(client: Client, { runtimeRole }: SchemaNames): Promise<boolean> {
  return (await readRoleState(client, runtimeRole)) === 'usable';
}

async function ensureSchema(client: Client, schema: string): Promise<Refusal | null> {
  const found = await client.query('select from pg_namespace where nspname = $1', [schema]);
  if (found.rowCount !== 0) return null;
  try {
    await client.query(`create schema if not exists "${schema}"`);
  } catch (error) {
    const code = codeOf(error);
    if (code === INSUFFICIENT_PRIVILEGE) {
      const statements = `create schema "${schema}" authorization ${await quotedUser(client)};`;
      return { what: `create the schema "${schema}"`, statements, cause: error };
    }
    if (code === undefined || !OVERTAKEN.has(code)) throw error;
  }
  return null;
}

async function ensureRuntimeRole(client: Client, role: string): Promise<{ created: boolean; refusal: Refusal | null }> {
  let created = false;
  for (let attempt = 1; ; attempt++) {
    const state = await readRoleState(client, role);
    if (state === 'usable') return { created, refusal: null };
    try {
      if (state === 'missing') {
        await client.query(`create role "${role}" nologin`);
        created = true;
      } else {
        await client.query(`grant "${role}" to current_user`);
      }
    } catch (error) {
      const code = codeOf(error);
      if (code === INSUFFICIENT_PRIVILEGE) {
        return { created, refusal: refuseRole(role, state, await quotedUser(client), error) };
      }
      if (attempt === ATTEMPTS_MAX || code === undefined || !OVERTAKEN.has(code)) throw error;
    }
  }
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

function refuseRole(role: string, state: 'missing' | 'foreign', user: string, cause: unknown): Refusal {
  const create = state === 'missing' ? `create role "${role}" nologin; ` : '';
  return {
    what: state === 'missing' ? `create the role "${role}"` : `take on the role "${role}"`,
    statements: `${create}grant "${role}" to ${user};`,
    cause,
  };
}

/** The statement that makes the service's login a member of the runtime role; null when it is. */
async function missingMembership(client: Client, { runtimeRole, serviceLogin }: Principals): Promise<string | null> {
  if (serviceLogin === undefined) return null;
  const { rows } = await client.query<{ login: string; member: boolean }>(
    `select quote_ident(login.rolname) as login,
            coalesce(pg_has_role(login.oid, runtime.oid, 'member'), false) as member
       from pg_roles login
       left join pg_roles runtime on runtime.rolname = $2
      where login.rolname = $1 and login.rolname <> current_user`,
    [serviceLogin, runtimeRole],
  );
  const row = rows[0];
  return row === undefined || row.member ? null : `grant "${runtimeRole}" to ${row.login};`;
}

async function quotedUser(client: Client): Promise<string> {
  const { rows } = await client.query<{ name: string }>('select quote_ident(current_user) as name');
  return rows[0]?.name ?? 'current_user';
}
