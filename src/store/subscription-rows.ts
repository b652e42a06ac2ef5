// Rows of subscriptions, as they are read with their topic's name.

import { type Kysely, type Selectable, type SqlBool, sql } from 'kysely';
import { type Subscription, type SubscriptionSettings, subscriptionDefaults } from '../domain/subscription.ts';
import type { SubscriptionTable, Tables } from './postgres/tables.ts';

/** By name: a column that a later version adds is not read by instances that still run. */
export const subscriptionColumns = [
  'subscription.topicId',
  'subscriptionId',
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
    .select('topic.name as topic');
}

/** Those that the running transaction has written. */
export const isOfThisTransaction = sql<SqlBool>`subscription.xmin = pg_current_xact_id()::xid`;

export function toSubscription({ startAt, startTime, ...row }: SubscriptionRow & { topic: string }): Subscription {
  return { ...row, start: startTime ?? (startAt as 'earliest' | 'latest') };
}
