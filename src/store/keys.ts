// API keys: rows that administrators make and revoke. A row's roles and hash never change, and no row is ever deleted.

import { type Selectable, sql } from 'kysely';
import type { Grant } from '../domain/access.ts';
import type { ApiKey } from '../domain/api-key.ts';
import type { Db } from './postgres/db.ts';
import type { ApiKeyTable } from './postgres/tables.ts';

export type KeyStore = ReturnType<typeof createKeyStore>;

export interface NewKey {
  readonly keyId: string;
  readonly client: string;
  readonly roles: readonly Grant[];
  readonly secretSha256: Buffer;
  readonly expiresAt: Date | null;
  readonly requestsPerSecond: number | null;
}

/** What it takes to tell whether a key is good. */
export interface KeyToCheck extends ApiKey {
  readonly secretSha256: Buffer;
  /** The database's clock when it was looked up: by it a key expires. */
  readonly checkedAt: Date;
}

/** One page: at most `limit` rows from the first one after `after`, of one client when it is named. */
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
  // A key that another instance is writing this moment is skipped: its use is being recorded already. The order, and the
  // locks taken in it, keep two instances from waiting for one another.
  const recordUse = db.prepare(
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
  // By name, since a column that a later version adds would break the statements of instances that still run.
  const find = db.prepare(
    'find_keys',
    `select
       key_id, client, roles, secret_sha256, expires_at, requests_per_second, created_at, created_by, revoked_at,
       revoked_by, last_used_at, clock_timestamp() as checked_at
     from willcall.api_key
     where key_id = any ($1::text[])`,
  );

  return {
    create: (key: NewKey, by: string): Promise<ApiKey> =>
      db.run(async (kysely) => {
        const row = await kysely
          .insertInto('api_key')
          .values({
            key_id: key.keyId,
            client: key.client,
            roles: JSON.stringify(key.roles),
            secret_sha256: key.secretSha256,
            expires_at: key.expiresAt,
            requests_per_second: key.requestsPerSecond,
            created_by: by,
          })
          .returningAll()
          .executeTakeFirstOrThrow();
        return toApiKey(row);
      }),

    /** Those of the keys that there are, revoked and expired ones too, in no order. */
    find: async (keyIds: readonly string[]): Promise<KeyToCheck[]> => {
      const rows = await db.call<Selectable<ApiKeyTable> & { checked_at: Date }>(find, [keyIds]);
      return rows.map((row) => ({ ...toApiKey(row), secretSha256: row.secret_sha256, checkedAt: row.checked_at }));
    },

    /** In order of id, which is that of their making. */
    list: ({ after, limit, client }: KeyPage): Promise<ApiKey[]> =>
      db.run(async (kysely) => {
        const rows = await kysely
          .selectFrom('api_key')
          .selectAll()
          .where('key_id', '>', after)
          .$if(client !== null, (query) => query.where('client', '=', client))
          .orderBy('key_id')
          .limit(limit)
          .execute();
        return rows.map(toApiKey);
      }),

    /** The key with its revocation, the first one if there were several; null when there is no such key. */
    revoke: (keyId: string, by: string): Promise<ApiKey | null> =>
      db.run(async (kysely) => {
        const row = await kysely
          .updateTable('api_key')
          .set({
            revoked_at: sql<Date>`coalesce(revoked_at, clock_timestamp())`,
            revoked_by: sql<string>`coalesce(revoked_by, ${by})`,
          })
          .where('key_id', '=', keyId)
          .returningAll()
          .executeTakeFirst();
        return row === undefined ? null : toApiKey(row);
      }),

    /** Leaves alone what was recorded within the last `intervalSeconds` before. */
    recordUse: async (uses: readonly KeyUse[], intervalSeconds: number): Promise<void> => {
      await db.call(recordUse, [uses.map(({ keyId }) => keyId), uses.map(({ at }) => at), intervalSeconds]);
    },
  };
}

function toApiKey(row: Selectable<ApiKeyTable>): ApiKey {
  return {
    keyId: row.key_id,
    client: row.client,
    roles: row.roles,
    expiresAt: row.expires_at,
    requestsPerSecond: row.requests_per_second,
    createdAt: row.created_at,
    createdBy: row.created_by,
    revokedAt: row.revoked_at,
    revokedBy: row.revoked_by,
    lastUsedAt: row.last_used_at,
  };
}
