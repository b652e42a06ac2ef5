// Topics: rows that administrators create, change and turn into tombstones.

import { sql } from 'kysely';
import { WillcallError } from '../domain/errors.ts';
import type { Actor } from '../domain/journal.ts';
import { type Topic, type TopicSettings, topicDefaults } from '../domain/topic.ts';
import { actOnSubscription, actOnTopic, updateOfTopic } from './acts.ts';
import { type JudgedAct, type Recorded, record } from './journal.ts';
import { isInScopes, type NamePage } from './name-scopes.ts';
import type { Db } from './postgres/db.ts';
import { violates } from './postgres/errors.ts';
import { isOfThisTransaction, selectSubscriptions, toSubscription } from './subscription-rows.ts';

/** By name: a column that a later version adds is not read by instances that still run. */
const columns = [
  'topicId',
  'publicId',
  'name',
  ...(Object.keys(topicDefaults) as (keyof TopicSettings)[]),
  'createdAt',
  'createdBy',
] as const;
/** Its log may still be pruned for so long after its deletion. */
const PRUNED_FOR = sql<Date>`now() - interval '30 days'`;

export type TopicStore = ReturnType<typeof createTopicStore>;

export function createTopicStore(db: Db) {
  /** Null when a living topic has the name. */
  async function create(name: string, settings: TopicSettings, actor: Actor): Promise<Recorded<Topic> | null> {
    try {
      return await db.transaction(async (trx) => {
        const value = await trx
          .insertInto('topic')
          .values({ name, ...settings, createdBy: actor.principal })
          .returning(columns)
          .executeTakeFirstOrThrow();
        return record(trx, db, actor, { value, acts: [actOnTopic('create', { after: value })] });
      });
    } catch (error) {
      if (error instanceof WillcallError && violates(error.cause, 'topic_living_name')) return null;
      throw error;
    }
  }

  /** Null when it is gone. `judge` throws for a topic that is not to be changed as it is. */
  function update(
    topicId: number,
    settings: Partial<TopicSettings>,
    { actor, judge }: JudgedAct<Topic>,
  ): Promise<Recorded<Topic> | null> {
    return db.transaction(async (trx) => {
      const before = await trx
        .selectFrom('topic')
        .select(columns)
        .where('topicId', '=', topicId)
        .where('deletedAt', 'is', null)
        .forNoKeyUpdate()
        .executeTakeFirst();
      if (before === undefined) return null;
      judge(before);
      const value = await trx
        .updateTable('topic')
        .set({ ...settings, name: sql.ref('name') })
        .where('topicId', '=', topicId)
        .returning(columns)
        .executeTakeFirstOrThrow();
      return record(trx, db, actor, { value, acts: updateOfTopic(before, value) });
    });
  }

  /**
   * The topic and its subscriptions, under their locks; false when it was gone already. Nothing is
   * deleted when `judge` throws.
   */
  function remove(topicId: number, { actor, judge }: JudgedAct<Topic>): Promise<Recorded<boolean>> {
    return db.transaction(async (trx) => {
      const deletion = await sql<{ deleted: boolean }>`
        select ${sql.id(db.schema, 'delete_topic')}(${topicId}::integer, ${actor.principal}::text) as deleted
      `.execute(trx);
      if (deletion.rows[0]?.deleted !== true) return { value: false, acts: [] };
      const topic = await trx
        .selectFrom('topic')
        .select(columns)
        .where('topicId', '=', topicId)
        .executeTakeFirstOrThrow();
      judge(topic);
      const subscriptions = await selectSubscriptions(trx)
        .where('subscription.topicId', '=', topicId)
        .where(isOfThisTransaction)
        .orderBy('subscriptionId')
        .execute();
      const acts = [
        actOnTopic('delete', { before: topic }),
        ...subscriptions.map((row) => actOnSubscription('delete', { before: toSubscription(row) })),
      ];
      return record(trx, db, actor, { value: true, acts });
    });
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
