// Subscriptions: rows that administrators create, change and turn into tombstones, and their state.

import { type Kysely, sql } from 'kysely';
import { WillcallError } from '../domain/errors.ts';
import type { Actor } from '../domain/journal.ts';

import type { Ledger } from '../domain/ledger.ts';
import { limits } from '../domain/limits.ts';
import type {
  DeletedSubscription,
  StartPosition,
  Subscription,
  SubscriptionSettings,
  SubscriptionStats,
} from '../domain/subscription.ts';

import { actOnSubscription, updateOfSubscription } from './acts.ts';
import { type JudgedAct, type Recorded, record } from './journal.ts';
import { isInScopes, type NamePage } from './name-scopes.ts';
import type { Db } from './postgres/db.ts';
import { violates } from './postgres/errors.ts';
import type { Tables } from './postgres/tables.ts';
import {
  selectLedgers,
  selectSubscriptions,
  subscriptionColumns,
  tombstone,
  toSubscription,
} from './subscription-rows.ts';

export interface NewSubscription extends SubscriptionSettings {
  readonly topicId: number;
  readonly topic: string;
  readonly topicPublicId: string;
  readonly name: string;
  readonly start: StartPosition;
}

/** A subscription, living or not, as far as its records go. */
export interface SubscriptionKey {
  readonly topicId: number;
  readonly subscriptionId: number;
}

/** Upkeep may have something to do for so long after a deletion. */
const TENDED_FOR = sql<Date>`now() - interval '30 days'`;

export type SubscriptionStore = ReturnType<typeof createSubscriptionStore>;

export function createSubscriptionStore(db: Db) {
  const stateQuery = db.prepare(
    'stats',
    `select
       backlog, in_flight as "inFlight", deferred, dead_letters as "deadLetters",
       oldest_unacknowledged_seconds as "oldestUnacknowledgedSeconds"
     from willcall.subscription_stats($1::integer, $2::integer)`,
  );

  /**
   * Null when a living subscription has the name. Throws `topic_not_found` when the topic went
   * meanwhile.
   */
  async function create(subscription: NewSubscription, actor: Actor): Promise<Recorded<Subscription> | null> {
    try {
      return await db.transaction(async (trx) => {
        const value = await insertAndStart(trx, db.schema, subscription, actor.principal);
        return record(trx, db, actor, { value, acts: [actOnSubscription('create', { after: value })] });
      });
    } catch (error) {
      if (error instanceof WillcallError && violates(error.cause, 'subscription_living_name')) return null;
      throw error;
    }
  }

  /**
   * Null when it is gone. `judge` throws for a subscription that is not to be changed as it is, or
   * not so; nobody else changes it meanwhile.
   */
  function update(
    key: SubscriptionKey,
    settings: Partial<SubscriptionSettings>,
    { actor, judge }: JudgedAct<Subscription>,
  ): Promise<Recorded<Subscription> | null> {
    return db.transaction(async (trx) => {
      const before = await whole(selectLiving(trx), key).forNoKeyUpdate('subscription').executeTakeFirst();
      if (before === undefined) return null;
      judge(toSubscription(before));
      await trx
        .updateTable('subscription')
        .set({ ...settings, name: sql.ref('name') })
        .where('topicId', '=', key.topicId)
        .where('subscriptionId', '=', key.subscriptionId)
        .execute();
      const value = toSubscription(await whole(selectLiving(trx), key).executeTakeFirstOrThrow());
      return record(trx, db, actor, { value, acts: updateOfSubscription(toSubscription(before), value) });
    });
  }

  /** Under its lock; false when it was gone already. Nothing is deleted when `judge` throws. */
  function remove(key: SubscriptionKey, { actor, judge }: JudgedAct<Subscription>): Promise<Recorded<boolean>> {
    return db.transaction(async (trx) => {
      const deletion = await sql<{ deleted: boolean }>`
        select ${sql.id(db.schema, 'delete_subscription')}(
          ${key.topicId}::integer, ${key.subscriptionId}::integer, ${actor.principal}::text
        ) as deleted`.execute(trx);
      if (deletion.rows[0]?.deleted !== true) return { value: false, acts: [] };
      const before = toSubscription(await whole(selectSubscriptions(trx), key).executeTakeFirstOrThrow());
      judge(before);
      return record(trx, db, actor, { value: true, acts: [actOnSubscription('delete', { before })] });
    });
  }

  async function stats({ topicId, subscriptionId }: SubscriptionKey): Promise<SubscriptionStats> {
    const [row] = await db.call<SubscriptionStats>(stateQuery, [topicId, subscriptionId]);
    return row ?? noStats;
  }

  return { ...createReaders(db), ...createLedgerReaders(db), create, update, delete: remove, stats };
}

const noStats: SubscriptionStats = {
  backlog: 0,
  inFlight: 0,
  deferred: 0,
  deadLetters: 0,
  oldestUnacknowledgedSeconds: null,
};

function createReaders(db: Db) {
  async function find(name: string): Promise<Subscription | null> {
    return (await findAll([name]))[0] ?? null;
  }

  /** Those of the names that exist, in no order. */
  function findAll(names: readonly string[]): Promise<Subscription[]> {
    return db.run(async (kysely) => {
      const rows = await selectLiving(kysely)
        .where('subscription.name', '=', sql<string>`any (${names}::text[])`)
        .execute();
      return rows.map(toSubscription);
    });
  }

  /** In order of name, from the first one after `after`, of those that a scope covers. */
  function list({ after, limit, scopes }: NamePage): Promise<Subscription[]> {
    return db.run(async (kysely) => {
      const rows = await selectLiving(kysely)
        .where('subscription.name', '>', after)
        .where((eb) => isInScopes(eb, 'subscription.name', scopes))
        .orderBy('subscription.name')
        .limit(limit)
        .execute();
      return rows.map(toSubscription);
    });
  }

  /**
   * A page of all that upkeep may have something to do for: the living and those deleted lately;
   * with `everDeleted` all that were ever deleted, whose ledgers stay.
   */
  function listKeys(after: SubscriptionKey | null, limit: number, everDeleted: boolean): Promise<SubscriptionKey[]> {
    return db.run((kysely) =>
      kysely
        .selectFrom('subscription')
        .select(['topicId', 'subscriptionId'])
        .where(sql<boolean>`(topic_id, subscription_id) > (${after?.topicId ?? 0}, ${after?.subscriptionId ?? 0})`)
        .where((eb) => eb.or([eb('deletedAt', 'is', null), eb('deletedAt', '>', TENDED_FOR), eb.lit(everDeleted)]))
        .orderBy('topicId')
        .orderBy('subscriptionId')
        .limit(limit)
        .execute(),
    );
  }

  return { find, findAll, list, listKeys };
}

/** Subscriptions as their ledgers outlive them. */
function createLedgerReaders(db: Db) {
  /** The ledgers that the name has had, the newest first, at most two. */
  function findLedgers(name: string): Promise<Ledger[]> {
    return db.run((kysely) =>
      selectLedgers(kysely).where('subscription.name', '=', name).orderBy('subscriptionId', 'desc').limit(2).execute(),
    );
  }

  async function findLedger(publicId: string): Promise<Ledger | null> {
    const row = await db.run((kysely) =>
      selectLedgers(kysely).where('subscription.publicId', '=', publicId).executeTakeFirst(),
    );
    return row ?? null;
  }

  /** The subscription with this id, deleted or not. */
  async function findByPublicId(
    publicId: string,
  ): Promise<(Subscription & Pick<Ledger, 'deletedAt' | 'deletedBy'>) | null> {
    const row = await db.run((kysely) =>
      selectSubscriptions(kysely).select(tombstone).where('subscription.publicId', '=', publicId).executeTakeFirst(),
    );
    return row === undefined ? null : toSubscription(row);
  }

  /** In order of name and id, after the deleted one with the public id `after`. */
  function listDeleted({ after, limit, scopes }: NamePage): Promise<DeletedSubscription[]> {
    return db.run(async (kysely) => {
      const place = sql<boolean>`(subscription.name, subscription.subscription_id) > (
        select last.name, last.subscription_id
        from ${sql.table(`${db.schema}.subscription`)} last where last.public_id = ${after})`;
      const rows = await selectSubscriptions(kysely)
        .select(tombstone)
        .where('subscription.deletedAt', 'is not', null)
        .where((eb) => isInScopes(eb, 'subscription.name', scopes))
        .$if(after !== '', (query) => query.where(place))
        .orderBy('subscription.name')
        .orderBy('subscriptionId')
        .limit(limit)
        .execute();
      return rows.map((row) => toSubscription(row) as DeletedSubscription);
    });
  }

  return { findLedgers, findLedger, findByPublicId, listDeleted };
}

async function insertAndStart(
  trx: Kysely<Tables>,
  schema: string,
  { topic, topicPublicId, start, ...subscription }: NewSubscription,
  createdBy: string,
): Promise<Subscription> {
  const { topicId } = subscription;
  const startAt = start instanceof Date ? 'time' : start;
  const startTime = start instanceof Date ? start : null;
  if (startTime !== null) await refuseFuture(trx, startTime);
  const row = await trx
    .insertInto('subscription')
    .values({ ...subscription, startAt, startTime, createdBy })
    .returning(subscriptionColumns)
    .executeTakeFirstOrThrow();
  const started = await sql<{ started: boolean }>`
    select ${sql.id(schema, 'start_subscription')}(
      ${topicId}::integer, ${row.subscriptionId}::integer, ${startAt}::text,
      ${startTime}::timestamptz, ${createdBy}::text
    ) as started`.execute(trx);
  if (!started.rows[0]?.started) throw new WillcallError('topic_not_found', { topic });
  return toSubscription({ ...row, topic, topicPublicId });
}

/** The query for this subscription alone. */
function whole(query: ReturnType<typeof selectSubscriptions>, { topicId, subscriptionId }: SubscriptionKey) {
  return query.where('subscription.topicId', '=', topicId).where('subscriptionId', '=', subscriptionId);
}

/** By the database's clock; a client's may be ahead by some seconds. */
async function refuseFuture(trx: Kysely<Tables>, start: Date): Promise<void> {
  const ahead = limits.startAheadSecondsMax;
  const { rows } = await sql<{ future: boolean }>`
    select ${start}::timestamptz > clock_timestamp() + make_interval(secs => ${ahead}) as future`.execute(trx);
  if (rows[0]?.future !== true) return;
  throw new WillcallError('invalid_request', { fields: [{ path: ['start'], rule: 'not_in_future' }] });
}

function selectLiving(kysely: Kysely<Tables>) {
  return selectSubscriptions(kysely).where('subscription.deletedAt', 'is', null);
}
