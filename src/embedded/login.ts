// Service login on the embedded PostgreSQL: no superuser, a member of the runtime role alone.
// So whatever SQL reaches the service's connections, none of it can gain more rights
// (docs/security.md). Its password is new with each start and kept nowhere; the server gets a SCRAM
// verifier, so that no log can hold the password.

import { createHash, createHmac, pbkdf2Sync, randomBytes } from 'node:crypto';
import type { Client } from 'pg';
import { checkName } from '../store/schema/migration-files.ts';

const SERVICE_USER = 'willcall_service';
const PASSWORD_BYTES = 32;
const SALT_BYTES = 16;
/** PostgreSQL's default; more would only protect passwords that can be guessed. */
const ITERATIONS = 4096;

export interface ServiceLogin {
  readonly user: string;
  readonly password: string;
}

/** Makes the login or renews its password; the role must exist. Needs a superuser's connection. */
export async function renewServiceLogin(client: Client, runtimeRole: string): Promise<ServiceLogin> {
  const role = checkName('role', runtimeRole);
  const password = randomBytes(PASSWORD_BYTES).toString('base64url');
  const { rowCount } = await client.query('select from pg_roles where rolname = $1', [SERVICE_USER]);
  if (rowCount === 0) await client.query(`create role ${SERVICE_USER}`);
  await client.query(
    `alter role ${SERVICE_USER} with login nosuperuser nocreatedb nocreaterole noreplication nobypassrls
     password '${scramVerifier(password)}'`,
  );
  if (role !== SERVICE_USER) await client.query(`grant "${role}" to ${SERVICE_USER}`);
  return { user: SERVICE_USER, password };
}

/** PostgreSQL's form of a password (RFC 5802, section 3; RFC 7677); ASCII needs no SASLprep. */
function scramVerifier(password: string): string {
  const salt = randomBytes(SALT_BYTES);
  const salted = pbkdf2Sync(password, salt, ITERATIONS, 32, 'sha256');
  const sign = (text: string) => createHmac('sha256', salted).update(text).digest();
  const storedKey = createHash('sha256').update(sign('Client Key')).digest('base64');
  return `SCRAM-SHA-256$${ITERATIONS}:${salt.toString('base64')}$${storedKey}:${sign('Server Key').toString('base64')}`;
}
