// Subscriptions: rows that administrators make, change and turn into tombstones, and what is known of their state.

import { type Kysely, type Selectable, sql } from 'kysely';
import { WillcallError } from '../domain/errors.ts';
import type { StartPosition, Subscription, SubscriptionSettings, SubscriptionStats } from '../domain/subscription.ts';
import { isInScopes, type NamePage } from './name-scopes.ts';
import type { Db } from './postgres/db.ts';
import { violates } from './postgres/errors.ts';
import type { SubscriptionTable, Tables } from './postgres/tables.ts';

export type SubscriptionStore = ReturnType<typeof createSubscriptionStore>;

export interface NewSubscription extends SubscriptionSettings {
  readonly topicId: number;
  readonly topic: string;
  readonly name: string;
  readonly start: StartPosition;
}

/** A subscription, living or not, as far as its records go. */
export interface SubscriptionKey {
  readonly topicId: number;
  readonly subscriptionId: number;
}

type Row = Selectable<SubscriptionTable> & { topic: string };

export function createSubscriptionStore(db: Db) {
  const deleteSubscription = db.prepare(
    'delete_subscription',
    'select willcall.delete_subscription($1::integer, $2::integer, $3::text) as deleted',
  );
  const stats = db.prepare('stats', 'select * from willcall.subscription_stats($1::integer, $2::integer)');

  return {
    ...createReaders(db),

    /** Null when a living subscription has the name; throws `topic_not_found` when the topic went meanwhile. */
    create: async (subscription: NewSubscription, by: string): Promise<Subscription | null> => {
      try {
        return await db.transaction((trx) => insertAndStart(trx, db.schema, subscription, by));
      } catch (error) {
        if (error instanceof WillcallError && violates(error.cause, 'subscription_living_name')) return null;
        throw error;
      }
    },

    /** Null when it is gone. */
    update: (key: SubscriptionKey, settings: Partial<SubscriptionSettings>): Promise<Subscription | null> =>
      db.run(async (kysely) => {
        await kysely
          .updateTable('subscription')
          .set({ ...toColumns(settings), name: sql.ref('name') })
          .where('topic_id', '=', key.topicId)
          .where('subscription_id', '=', key.subscriptionId)
          .where('deleted_at', 'is', null)
          .execute();
        const row = await select(kysely)
          .where('subscription.topic_id', '=', key.topicId)
          .where('subscription.subscription_id', '=', key.subscriptionId)
          .where('subscription.deleted_at', 'is', null)
          .executeTakeFirst();
        return row === undefined ? null : toSubscription(row);
      }),

    /** Under its lock; false when it was gone already. */
    delete: async (key: SubscriptionKey, by: string): Promise<boolean> => {
      const rows = await db.call<{ deleted: boolean }>(deleteSubscription, [key.topicId, key.subscriptionId, by]);
      return rows[0]?.deleted ?? false;
    },

    stats: async (key: SubscriptionKey): Promise<SubscriptionStats> => {
      const rows = await db.call<StatsRow>(stats, [key.topicId, key.subscriptionId]);
      return {
        backlog: rows[0]?.backlog ?? 0,
        inFlight: rows[0]?.in_flight ?? 0,
        deferred: rows[0]?.deferred ?? 0,
        deadLetters: rows[0]?.dead_letters ?? 0,
        oldestUnacknowledgedSeconds: rows[0]?.oldest_unacknowledged_seconds ?? null,
      };
    },
  };
}

function createReaders(db: Db) {
  return {
    find: (name: string): Promise<Subscription | null> =>
      db.run(async (kysely) => {
        const row = await select(kysely)
          .where('subscription.name', '=', name)
          .where('subscription.deleted_at', 'is', null)
          .executeTakeFirst();
        return row === undefined ? null : toSubscription(row);
      }),

    /** Of the names, those that there are, in no order. */
    findAll: (names: readonly string[]): Promise<Subscription[]> =>
      db.run(async (kysely) => {
        const rows = await select(kysely)
          .where('subscription.name', '=', sql<string>`any (${names}::text[])`)
          .where('subscription.deleted_at', 'is', null)
          .execute();
        return rows.map(toSubscription);
      }),

    /** The living one of that name, or else the one that was deleted last. */
    findRecorded: (name: string): Promise<SubscriptionKey | null> =>
      db.run(async (kysely) => {
        const row = await kysely
          .selectFrom('subscription')
          .select(['topic_id', 'subscription_id'])
          .where('name', '=', name)
          .orderBy('subscription_id', 'desc')
          .limit(1)
          .executeTakeFirst();
        return row === undefined ? null : { topicId: row.topic_id, subscriptionId: row.subscription_id };
      }),

    /** In order of name, from the first one after `after`, of those that a scope covers. */
    list: ({ after, limit, scopes }: NamePage): Promise<Subscription[]> =>
      db.run(async (kysely) => {
        const rows = await select(kysely)
          .where('subscription.deleted_at', 'is', null)
          .where('subscription.name', '>', after)
          .where((eb) => isInScopes(eb, 'subscription.name', scopes))
          .orderBy('subscription.name')
          .limit(limit)
          .execute();
        return rows.map(toSubscription);
      }),

    /**
     * Of all that upkeep may have something to do for, a page: the living and those deleted within the last month, with
     * `everDeleted` all that were ever deleted, whose ledgers stay.
     */
    listKeys: (after: SubscriptionKey | null, limit: number, everDeleted: boolean): Promise<SubscriptionKey[]> =>
      db.run(async (kysely) => {
        const rows = await kysely
          .selectFrom('subscription')
          .select(['topic_id', 'subscription_id'])
          .where(sql<boolean>`(topic_id, subscription_id) > (${after?.topicId ?? 0}, ${after?.subscriptionId ?? 0})`)
          .where((eb) =>
            eb.or([
              eb('deleted_at', 'is', null),
              eb('deleted_at', '>', sql<Date>`now() - interval '30 days'`),
              eb.lit(everDeleted),
            ]),
          )
          .orderBy('topic_id')
          .orderBy('subscription_id')
          .limit(limit)
          .execute();
        return rows.map((row) => ({ topicId: row.topic_id, subscriptionId: row.subscription_id }));
      }),
  };
}

interface StatsRow {
  backlog: number;
  in_flight: number;
  deferred: number;
  dead_letters: number;
  oldest_unacknowledged_seconds: number | null;
}

async function insertAndStart(
  trx: Kysely<Tables>,
  schema: string,
  { topicId, topic, name, start, ...settings }: NewSubscription,
  by: string,
): Promise<Subscription> {
  const startAt = start instanceof Date ? 'time' : start;
  const startTime = start instanceof Date ? start : null;
  const row = await trx
    .insertInto('subscription')
    .values({
      topic_id: topicId,
      name,
      start_at: startAt,
      start_time: startTime,
      ...toColumns(settings),
      created_by: by,
    })
    .returningAll()
    .executeTakeFirstOrThrow();
  const started = await sql<{ started: boolean }>`
    select ${sql.id(schema, 'start_subscription')}(
      ${topicId}::integer, ${row.subscription_id}::integer, ${startAt}::text, ${startTime}::timestamptz, ${by}::text
    ) as started`.execute(trx);
  if (!started.rows[0]?.started) {
    throw new WillcallError('topic_not_found', { topic });
  }
  return toSubscription({ ...row, topic });
}

function select(kysely: Kysely<Tables>) {
  return kysely
    .selectFrom('subscription')
    .innerJoin('topic', 'topic.topic_id', 'subscription.topic_id')
    .selectAll('subscription')
    .select('topic.name as topic');
}

function toColumns(settings: Partial<SubscriptionSettings>) {
  const columns = {
    visibility_timeout_seconds: settings.visibilityTimeoutSeconds,
    delay_seconds: settings.delaySeconds,
    max_attempts: settings.maxAttempts,
    max_deliveries: settings.maxDeliveries,
    min_backoff_seconds: settings.minBackoffSeconds,
    max_backoff_seconds: settings.maxBackoffSeconds,
    max_in_flight: settings.maxInFlight,
  };
  // What is undefined stays as it is (Kysely leaves such columns out); an insert always has all of them.
  return columns as { [K in keyof typeof columns]-?: Exclude<(typeof columns)[K], undefined> };
}

function toSubscription(row: Row): Subscription {
  return {
    topicId: row.topic_id,
    subscriptionId: row.subscription_id,
    name: row.name,
    topic: row.topic,
    start: row.start_time ?? (row.start_at as 'earliest' | 'latest'),
    visibilityTimeoutSeconds: row.visibility_timeout_seconds,
    delaySeconds: row.delay_seconds,
    maxAttempts: row.max_attempts,
    maxDeliveries: row.max_deliveries,
    minBackoffSeconds: row.min_backoff_seconds,
    maxBackoffSeconds: row.max_backoff_seconds,
    maxInFlight: row.max_in_flight,
    createdAt: row.created_at,
    createdBy: row.created_by,
  };
}
