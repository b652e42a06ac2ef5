// Topics and subscriptions as answers show them.

import { z } from 'zod';
import { subscriptionDefaults } from '../../../domain/subscription.ts';
import { topicDefaults } from '../../../domain/topic.ts';
import { wireShape } from '../wire-shape.ts';
import { components } from './components.ts';
import { exampleIds, exampleTimes } from './examples.ts';
import { count, hasMore, instant, name, subscriptionId, topicId } from './fields.ts';
import { answerShape } from './setting-table.ts';
import { START_WORDS, subscriptionGroups, subscriptionTable, topicTable } from './settings.ts';

const createdAt = instant.describe('When it was created.');
const createdBy = z.string().describe('Who created it.');

const topicFields = answerShape(topicTable);
const exampleTopic = {
  name: 'payments',
  id: exampleIds.topic,
  ...wireShape(z.object(topicFields), { ...topicDefaults, retentionSeconds: 1_209_600 }),
  created_at: exampleTimes.created,
  created_by: 'admin',
};

export const topic = z
  .object({
    name: name.describe('Its name.'),
    id: topicId,
    ...topicFields,
    created_at: createdAt,
    created_by: createdBy,
  })
  .register(components, { id: 'Topic', description: 'A topic.', examples: { 'a topic': exampleTopic } });

const subscriptionFields = answerShape(subscriptionTable, subscriptionGroups);
const exampleSettings = { ...subscriptionDefaults, visibilityTimeoutSeconds: 60, maxAttempts: 5 };
const exampleSubscription = {
  name: 'acme-erp',
  id: exampleIds.subscription,
  topic: 'payments',
  topic_id: exampleIds.topic,
  start: 'latest' as const,
  ...wireShape(z.object(subscriptionFields), { ...exampleSettings, retry: exampleSettings }),
  created_at: exampleTimes.created,
  created_by: 'admin',
};

export const subscription = z
  .object({
    name: name.describe('Its name.'),
    id: subscriptionId,
    topic: name.describe('The topic that it reads.'),
    topic_id: topicId,
    start: z.union([z.literal(['earliest', 'latest']), instant]).describe(START_WORDS),
    ...subscriptionFields,
    created_at: createdAt,
    created_by: createdBy,
  })
  .register(components, {
    id: 'Subscription',
    description: 'A subscription.',
    examples: { 'a subscription': exampleSubscription },
  });

const exampleStats = { backlog: 12, in_flight: 3, deferred: 1, dead_letters: 0, oldest_unacknowledged_seconds: 41.3 };

export const subscriptionStats = z
  .object({
    backlog: count().describe('Messages in the log that were not yet delivered.'),
    in_flight: count().describe('Messages delivered and not settled, whose visibility timeout is not over.'),
    deferred: count().describe('Messages that wait for another delivery.'),
    dead_letters: count().describe('Number of open dead letters.'),
    oldest_unacknowledged_seconds: z
      .number()
      .min(0)
      .nullable()
      .describe('Age of the oldest message that is not settled; null when there is none.'),
  })
  .register(components, {
    id: 'SubscriptionStats',
    description: 'The state of a subscription, exact at the time of the answer.',
    examples: { 'some behind': exampleStats },
  });

export const subscriptionWithStats = subscription
  .extend({ stats: subscriptionStats.describe('Its state.') })
  .register(components, {
    id: 'SubscriptionWithStats',
    description: 'A subscription and its state.',
    examples: { 'a subscription': { ...exampleSubscription, stats: exampleStats } },
  });

const listedSubscription = subscription.extend({
  deleted_at: instant.optional().describe('When it was deleted; only in lists of deleted ones.'),
  deleted_by: z.string().optional().describe('Who deleted it; only in lists of deleted ones.'),
});

export const recordedSubscription = subscriptionWithStats
  .extend({
    deleted_at: instant.nullable().describe('When it was deleted; null while it lives.'),
    deleted_by: z.string().nullable().describe('Who deleted it; null while it lives.'),
  })
  .register(components, {
    id: 'RecordedSubscription',
    description: 'A subscription, living or deleted, and where it stands.',
    examples: {
      'a deleted one': {
        ...exampleSubscription,
        stats: exampleStats,
        deleted_at: exampleTimes.deleted,
        deleted_by: 'admin',
      },
    },
  });

const nextName = name.nullable().describe('The `after` of the next page; null when there is none.');

export const topicPage = z
  .object({ topics: z.array(topic).describe('In order of name.'), next: nextName, has_more: hasMore })
  .register(components, {
    id: 'TopicPage',
    description: 'A page of topics.',
    examples: { 'the last page': { topics: [exampleTopic], next: null, has_more: false } },
  });

export const subscriptionPage = z
  .object({
    subscriptions: z.array(listedSubscription).describe('In order of name.'),
    next: nextName,
    has_more: hasMore,
  })
  .register(components, {
    id: 'SubscriptionPage',
    description: 'A page of subscriptions.',
    examples: {
      'a page with others behind it': { subscriptions: [exampleSubscription], next: 'acme-erp', has_more: true },
    },
  });
