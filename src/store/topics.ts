// Topics: rows that administrators make, change and turn into tombstones.

import { sql } from 'kysely';
import type { Topic, TopicSettings } from '../domain/topic.ts';
import { isInScopes, type NamePage } from './name-scopes.ts';
import type { Db } from './postgres/db.ts';
import { violates } from './postgres/errors.ts';
import type { Tables } from './postgres/tables.ts';

export type TopicStore = ReturnType<typeof createTopicStore>;

export function createTopicStore(db: Db) {
  const deleteTopic = db.prepare('delete_topic', 'select willcall.delete_topic($1::integer, $2::text) as deleted');

  return {
    /** Null when a living topic has the name. */
    create: (name: string, settings: TopicSettings, by: string): Promise<Topic | null> =>
      db.run(async (kysely) => {
        try {
          const row = await kysely
            .insertInto('topic')
            .values({ name, ...toColumns(settings), created_by: by })
            .returningAll()
            .executeTakeFirstOrThrow();
          return toTopic(row);
        } catch (error) {
          if (violates(error, 'topic_living_name')) return null;
          throw error;
        }
      }),

    find: async (name: string): Promise<Topic | null> => (await findAll(db, [name]))[0] ?? null,

    /** Of the names, those that there are, in no order. */
    findAll: (names: readonly string[]): Promise<Topic[]> => findAll(db, names),

    /** In order of name, from the first one after `after`, of those that a scope covers. */
    list: ({ after, limit, scopes }: NamePage): Promise<Topic[]> =>
      db.run(async (kysely) => {
        const rows = await kysely
          .selectFrom('topic')
          .selectAll()
          .where('deleted_at', 'is', null)
          .where('name', '>', after)
          .where((eb) => isInScopes(eb, 'topic.name', scopes))
          .orderBy('name')
          .limit(limit)
          .execute();
        return rows.map(toTopic);
      }),

    /** Of all whose log may still be pruned (the living ones, and those deleted within the last month), a page. */
    listIds: (after: number | null, limit: number): Promise<number[]> =>
      db.run(async (kysely) => {
        const rows = await kysely
          .selectFrom('topic')
          .select('topic_id')
          .where('topic_id', '>', after ?? 0)
          .where((eb) =>
            eb.or([eb('deleted_at', 'is', null), eb('deleted_at', '>', sql<Date>`now() - interval '30 days'`)]),
          )
          .orderBy('topic_id')
          .limit(limit)
          .execute();
        return rows.map((row) => row.topic_id);
      }),

    /** Null when it is gone. */
    update: (topicId: number, settings: Partial<TopicSettings>): Promise<Topic | null> =>
      db.run(async (kysely) => {
        const row = await kysely
          .updateTable('topic')
          .set({ ...toColumns(settings), name: sql.ref('name') })
          .where('topic_id', '=', topicId)
          .where('deleted_at', 'is', null)
          .returningAll()
          .executeTakeFirst();
        return row === undefined ? null : toTopic(row);
      }),

    /** The topic and its subscriptions, under their locks; false when it was gone already. */
    delete: async (topicId: number, by: string): Promise<boolean> => {
      const rows = await db.call<{ deleted: boolean }>(deleteTopic, [topicId, by]);
      return rows[0]?.deleted ?? false;
    },
  };
}

function findAll(db: Db, names: readonly string[]): Promise<Topic[]> {
  return db.run(async (kysely) => {
    const rows = await kysely
      .selectFrom('topic')
      .selectAll()
      .where('name', '=', sql<string>`any (${names}::text[])`)
      .where('deleted_at', 'is', null)
      .execute();
    return rows.map(toTopic);
  });
}

function toColumns(settings: Partial<TopicSettings>) {
  return {
    ...(settings.retentionSeconds !== undefined && { retention_seconds: settings.retentionSeconds }),
    ...(settings.retainAcknowledgedSeconds !== undefined && {
      retain_acknowledged_seconds: settings.retainAcknowledgedSeconds,
    }),
    ...(settings.expiredRetentionSeconds !== undefined && {
      expired_retention_seconds: settings.expiredRetentionSeconds,
    }),
    ...(settings.dedupeWindowSeconds !== undefined && { dedupe_window_seconds: settings.dedupeWindowSeconds }),
    ...(settings.maxMessageBytes !== undefined && { max_message_bytes: settings.maxMessageBytes }),
    ...(settings.maxBacklog !== undefined && { max_backlog: settings.maxBacklog }),
  } as Required<Pick<Tables['topic'], TopicColumn>>;
}

type TopicColumn =
  | 'retention_seconds'
  | 'retain_acknowledged_seconds'
  | 'expired_retention_seconds'
  | 'dedupe_window_seconds'
  | 'max_message_bytes'
  | 'max_backlog';

function toTopic(row: {
  topic_id: number;
  name: string;
  retention_seconds: number;
  retain_acknowledged_seconds: number;
  expired_retention_seconds: number;
  dedupe_window_seconds: number;
  max_message_bytes: number;
  max_backlog: number | null;
  created_at: Date;
  created_by: string;
}): Topic {
  return {
    topicId: row.topic_id,
    name: row.name,
    retentionSeconds: row.retention_seconds,
    retainAcknowledgedSeconds: row.retain_acknowledged_seconds,
    expiredRetentionSeconds: row.expired_retention_seconds,
    dedupeWindowSeconds: row.dedupe_window_seconds,
    maxMessageBytes: row.max_message_bytes,
    maxBacklog: row.max_backlog,
    createdAt: row.created_at,
    createdBy: row.created_by,
  };
}
