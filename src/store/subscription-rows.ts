// Rows of subscriptions, as they are read with their topic's name.

import { type Kysely, type Selectable, type SqlBool, sql } from 'kysely';
import { type Subscription, type SubscriptionSettings, subscriptionDefaults } from '../domain/subscription.ts';
import type { SubscriptionTable, Tables } from './postgres/tables.ts';

/** By name: a column that a later version adds is not read by instances that still run. */
export const subscriptionColumns = [
  'subscription.topicId',
  'subscriptionId',
  'subscription.publicId',
  'subscription.name',
  'startAt',
  'startTime',
  ...(Object.keys(subscriptionDefaults) as (keyof SubscriptionSettings)[]),
  'subscription.createdAt',
  'subscription.createdBy',
] as const;

export type SubscriptionRow = Omit<Selectable<SubscriptionTable>, 'deletedAt' | 'deletedBy'>;

/** Living and deleted ones. */
export function selectSubscriptions(kysely: Kysely<Tables>) {
  return kysely
    .selectFrom('subscription')
    .innerJoin('topic', 'topic.topicId', 'subscription.topicId')
    .select(subscriptionColumns)
    .select(['topic.name as topic', 'topic.publicId as topicPublicId']);
}

/** Those that the running transaction has written. */
export const isOfThisTransaction = sql<SqlBool>`subscription.xmin = pg_current_xact_id()::xid`;

export function toSubscription<Row extends SubscriptionRow & Pick<Subscription, 'topic' | 'topicPublicId'>>({
  startAt,
  startTime,
  ...row
}: Row) {
  return { ...row, start: startTime ?? (startAt as 'earliest' | 'latest') };
}

/** Of living and deleted subscriptions. */
export const tombstone = ['subscription.deletedAt', 'subscription.deletedBy'] as const;

export function selectLedgers(kysely: Kysely<Tables>) {
  return kysely
    .selectFrom('subscription')
    .innerJoin('topic', 'topic.topicId', 'subscription.topicId')
    .select(['subscription.topicId', 'subscriptionId', 'subscription.publicId'])
    .select(['subscription.name as subscription', 'topic.name as topic', 'topic.publicId as topicPublicId'])
    .select(tombstone);
}
