// API keys: rows that administrators create and revoke. A row's roles and hash never change, and no
// row is ever deleted.

import { sql } from 'kysely';
import type { Grant } from '../domain/access.ts';
import type { ApiKey } from '../domain/api-key.ts';
import type { Actor } from '../domain/journal.ts';
import type { PublicKey } from '../domain/public-key.ts';
import { actOnKey } from './acts.ts';
import { type Recorded, record } from './journal.ts';
import type { Db } from './postgres/db.ts';

/** All but the hash of the secret. */
const columns = [
  'keyId',
  'client',
  'roles',
  'expiresAt',
  'requestsPerSecond',
  'createdAt',
  'createdBy',
  'revokedAt',
  'revokedBy',
  'lastUsedAt',
  'secretVersion',
  'publicKeys',
] as const satisfies (keyof ApiKey)[];

export type KeyStore = ReturnType<typeof createKeyStore>;

export interface NewKey {
  readonly keyId: string;
  readonly client: string;
  readonly roles: readonly Grant[];
  readonly secretSha256: Buffer;
  readonly expiresAt: Date | null;
  readonly requestsPerSecond: number | null;
  readonly secretVersion: number | null;
  readonly publicKeys: readonly PublicKey[] | null;
}

/** What it takes to verify a key. */
export interface KeyToCheck extends ApiKey {
  readonly secretSha256: Buffer;
  /** The database's clock when it was looked up: by it a key expires. */
  readonly checkedAt: Date;
}

/** At most `limit` rows from the first one after `after`, of one client when it is named. */
export interface KeyPage {
  readonly after: string;
  readonly limit: number;
  readonly client: string | null;
}

/** When a key was last seen in use. */
export interface KeyUse {
  readonly keyId: string;
  readonly at: Date;
}

export function createKeyStore(db: Db) {
  // Skips a key that another instance writes at this moment: its use is being recorded already.
  // The order, and the locks taken in it, keep two instances from waiting for each other.
  const useRecording = db.prepare(
    'record_key_use',
    `with used as (
       select k.key_id, u.at
       from unnest($1::text[], $2::timestamptz[]) u (key_id, at)
       join willcall.api_key k using (key_id)
       where k.last_used_at is null or k.last_used_at <= u.at - $3::integer * interval '1 second'
       order by k.key_id
       for update of k skip locked
     )
     update willcall.api_key k
     set last_used_at = used.at
     from used
     where k.key_id = used.key_id`,
  );

  function create({ roles, publicKeys, ...key }: NewKey, actor: Actor): Promise<Recorded<ApiKey>> {
    return db.transaction(async (trx) => {
      const value = await trx
        .insertInto('apiKey')
        .values({
          ...key,
          roles: JSON.stringify(roles),
          publicKeys: publicKeys === null ? null : JSON.stringify(publicKeys),
          createdBy: actor.principal,
        })
        .returning(columns)
        .executeTakeFirstOrThrow();
      return record(trx, db, actor, { value, acts: [actOnKey('create', { after: value })] });
    });
  }

  /** The key with its revocation, the first one if there were several; null when there is none. */
  function revoke(keyId: string, actor: Actor): Promise<Recorded<ApiKey> | null> {
    return db.transaction(async (trx) => {
      const revoked = await trx
        .updateTable('apiKey')
        .set({ revokedAt: sql<Date>`clock_timestamp()`, revokedBy: actor.principal })
        .where('keyId', '=', keyId)
        .where('revokedAt', 'is', null)
        .returning(columns)
        .executeTakeFirst();
      if (revoked !== undefined) {
        return record(trx, db, actor, { value: revoked, acts: [actOnKey('revoke', { before: revoked })] });
      }
      const known = await trx.selectFrom('apiKey').select(columns).where('keyId', '=', keyId).executeTakeFirst();
      return known === undefined ? null : { value: known, acts: [] };
    });
  }

  /** Leaves alone what was recorded within the last `intervalSeconds` before. */
  async function recordUse(uses: readonly KeyUse[], intervalSeconds: number): Promise<void> {
    await db.call(useRecording, [uses.map(({ keyId }) => keyId), uses.map(({ at }) => at), intervalSeconds]);
  }

  return { ...createReaders(db), create, revoke, recordUse };
}

function createReaders(db: Db) {
  /** Those of the keys that exist, revoked and expired ones too, in no order. */
  function find(keyIds: readonly string[]): Promise<KeyToCheck[]> {
    return db.run((kysely) =>
      kysely
        .selectFrom('apiKey')
        .select(columns)
        .select(['secretSha256', sql<Date>`clock_timestamp()`.as('checkedAt')])
        .where('keyId', '=', sql<string>`any (${keyIds}::text[])`)
        .execute(),
    );
  }

  /** In order of id, which is that of their making. */
  function list({ after, limit, client }: KeyPage): Promise<ApiKey[]> {
    return db.run((kysely) =>
      kysely
        .selectFrom('apiKey')
        .select(columns)
        .where('keyId', '>', after)
        .$if(client !== null, (query) => query.where('client', '=', client))
        .orderBy('keyId')
        .limit(limit)
        .execute(),
    );
  }

  return { find, list };
}
