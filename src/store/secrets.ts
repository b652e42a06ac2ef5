// Versions of the secret key: for each, a value that only its holder can compute.

import { sql } from 'kysely';
import type { Db } from './postgres/db.ts';

export interface SecretVersion {
  readonly version: number;
  readonly checkValue: Buffer;
}

export type SecretStore = ReturnType<typeof createSecretStore>;

export function createSecretStore(db: Db) {
  /** The oldest first. */
  function list(): Promise<SecretVersion[]> {
    return db.run((kysely) =>
      kysely.selectFrom('secretVersion').select(['version', 'checkValue']).orderBy('version').execute(),
    );
  }

  /** Nothing, where another instance was faster. */
  async function add(version: SecretVersion): Promise<void> {
    await db.run((kysely) =>
      kysely
        .insertInto('secretVersion')
        .values(version)
        .onConflict((conflict) => conflict.doNothing())
        .execute(),
    );
  }

  /** Versions that keys in use need, neither revoked nor expired. */
  function listInUse(): Promise<{ secretVersion: number | null; keys: number }[]> {
    return db.run((kysely) =>
      kysely
        .selectFrom('apiKey')
        .select(({ fn }) => ['secretVersion', fn.countAll<number>().as('keys')])
        .where('secretVersion', 'is not', null)
        .where('revokedAt', 'is', null)
        .where((eb) => eb.or([eb('expiresAt', 'is', null), eb('expiresAt', '>', sql<Date>`clock_timestamp()`)]))
        .groupBy('secretVersion')
        .orderBy('secretVersion')
        .execute(),
    );
  }

  return { list, add, listInUse };
}
