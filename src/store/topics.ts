// Topics: rows that administrators create, change and turn into tombstones.

import { sql } from 'kysely';
import { type Topic, type TopicSettings, topicDefaults } from '../domain/topic.ts';
import { isInScopes, type NamePage } from './name-scopes.ts';
import type { Db } from './postgres/db.ts';
import { violates } from './postgres/errors.ts';

/** By name: a column that a later version adds is not read by instances that still run. */
const columns = [
  'topicId',
  'name',
  ...(Object.keys(topicDefaults) as (keyof TopicSettings)[]),
  'createdAt',
  'createdBy',
] as const;
/** Its log may still be pruned for so long after its deletion. */
const PRUNED_FOR = sql<Date>`now() - interval '30 days'`;

export type TopicStore = ReturnType<typeof createTopicStore>;

export function createTopicStore(db: Db) {
  const deletion = db.prepare('delete_topic', 'select willcall.delete_topic($1::integer, $2::text) as deleted');

  /** Null when a living topic has the name. */
  function create(name: string, settings: TopicSettings, createdBy: string): Promise<Topic | null> {
    return db.run(async (kysely) => {
      const insert = kysely.insertInto('topic').values({ name, ...settings, createdBy });
      try {
        return await insert.returning(columns).executeTakeFirstOrThrow();
      } catch (error) {
        if (violates(error, 'topic_living_name')) return null;
        throw error;
      }
    });
  }

  /** Null when it is gone. */
  function update(topicId: number, settings: Partial<TopicSettings>): Promise<Topic | null> {
    return db.run(async (kysely) => {
      const row = await kysely
        .updateTable('topic')
        .set({ ...settings, name: sql.ref('name') })
        .where('topicId', '=', topicId)
        .where('deletedAt', 'is', null)
        .returning(columns)
        .executeTakeFirst();
      return row ?? null;
    });
  }

  /** The topic and its subscriptions, under their locks; false when it was gone already. */
  async function remove(topicId: number, by: string): Promise<boolean> {
    const [row] = await db.call<{ deleted: boolean }>(deletion, [topicId, by]);
    return row?.deleted ?? false;
  }

  return { ...createReaders(db), create, update, delete: remove };
}

function createReaders(db: Db) {
  async function find(name: string): Promise<Topic | null> {
    return (await findAll([name]))[0] ?? null;
  }

  /** Those of the names that exist, in no order. */
  function findAll(names: readonly string[]): Promise<Topic[]> {
    return db.run((kysely) =>
      kysely
        .selectFrom('topic')
        .select(columns)
        .where('name', '=', sql<string>`any (${names}::text[])`)
        .where('deletedAt', 'is', null)
        .execute(),
    );
  }

  /** In order of name, from the first one after `after`, of those that a scope covers. */
  function list({ after, limit, scopes }: NamePage): Promise<Topic[]> {
    return db.run((kysely) =>
      kysely
        .selectFrom('topic')
        .select(columns)
        .where('deletedAt', 'is', null)
        .where('name', '>', after)
        .where((eb) => isInScopes(eb, 'topic.name', scopes))
        .orderBy('name')
        .limit(limit)
        .execute(),
    );
  }

  /** A page of the topics whose log may still be pruned: the living, and those deleted lately. */
  function listIds(after: number | null, limit: number): Promise<number[]> {
    return db.run(async (kysely) => {
      const rows = await kysely
        .selectFrom('topic')
        .select('topicId')
        .where('topicId', '>', after ?? 0)
        .where((eb) => eb.or([eb('deletedAt', 'is', null), eb('deletedAt', '>', PRUNED_FOR)]))
        .orderBy('topicId')
        .limit(limit)
        .execute();
      return rows.map(({ topicId }) => topicId);
    });
  }

  return { find, findAll, list, listIds };
}
