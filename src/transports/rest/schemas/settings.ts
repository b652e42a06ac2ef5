// Settings of topics and subscriptions: what requests may say of them, and what answers show.

import { z } from 'zod';
import { limits } from '../../../domain/limits.ts';
import { type SubscriptionSettings, subscriptionDefaults } from '../../../domain/subscription.ts';
import { type TopicSettings, topicDefaults } from '../../../domain/topic.ts';
import { components, WIRE_DEFAULT } from './components.ts';
import { count, name, strict, time, wholeNumber } from './fields.ts';
import { requestShape, type SettingTable, toChanges } from './setting-table.ts';

export const topicTable = {
  retentionSeconds: {
    words: 'How long a message is kept that some subscription has not settled.',
    request: wholeNumber(limits.retentionSecondsMin, limits.retentionSecondsMax),
    answer: count(),
  },
  retainAcknowledgedSeconds: {
    words: 'How long a message stays in the log after every subscription has settled it.',
    request: wholeNumber(0, limits.retentionSecondsMax),
    answer: count(),
  },
  expiredRetentionSeconds: {
    words: 'How long messages that expired undelivered stay in the log after that was recorded.',
    request: wholeNumber(0, limits.retentionSecondsMax),
    answer: count(),
  },
  dedupeWindowSeconds: {
    words: 'How long a `dedupe_key` is remembered.',
    request: wholeNumber(1, limits.dedupeWindowSecondsMax),
    answer: count(1),
  },
  maxMessageBytes: {
    words: 'The largest body that publish accepts.',
    request: wholeNumber(1, limits.messageBytesMax),
    answer: count(1),
  },
  maxBacklog: {
    words: 'The largest backlog of any subscription that a publish may cause; null means no limit.',
    request: wholeNumber(1, limits.maxBacklogMax).nullable(),
    answer: count(1).nullable(),
  },
} satisfies SettingTable<TopicSettings>;

export const subscriptionTable = {
  visibilityTimeoutSeconds: {
    words: 'How long a consumer has a message before it may be delivered to another one.',
    request: wholeNumber(limits.visibilityTimeoutSecondsMin, limits.visibilityTimeoutSecondsMax),
    answer: count(1),
  },
  delaySeconds: {
    words: 'The age at which messages become receivable.',
    request: wholeNumber(0, limits.subscriptionDelaySecondsMax),
    answer: count(),
  },
  maxAttempts: {
    words: 'Number of failed attempts after which a message becomes a dead letter.',
    request: wholeNumber(1, limits.maxAttemptsMax),
    answer: count(1),
  },
  maxDeliveries: {
    words: 'Number of deliveries, failed or not, after which a message becomes a dead letter.',
    request: wholeNumber(1, limits.maxDeliveriesMax),
    answer: count(1),
  },
  minBackoffSeconds: {
    words: 'The shortest back-off.',
    request: wholeNumber(0, limits.backoffSecondsMax),
    answer: count(),
    within: 'retry' as const,
  },
  maxBackoffSeconds: {
    words: 'The longest back-off; not below the shortest.',
    request: wholeNumber(0, limits.backoffSecondsMax),
    answer: count(),
    within: 'retry' as const,
  },
  maxInFlight: {
    words: 'Messages that may be in flight at once; null means no limit.',
    request: wholeNumber(1, limits.maxInFlightMax).nullable(),
    answer: count(1).nullable(),
  },
} satisfies SettingTable<SubscriptionSettings>;

/** Of the objects that settings stand in. */
export const subscriptionGroups = {
  retry: 'The back-off after a failed attempt: it doubles from the shortest to the longest, with jitter.',
} as const;
export const START_WORDS =
  'Where it begins to read: at the oldest message kept, after the newest, or at the first message ' +
  'published from a time on.';
const AT_LEAST_ONE = { minProperties: 1 };

const NAME_FIXED = 'cannot be changed after the creation';
const topicFields = strict(requestShape(topicTable), undefined, { name: NAME_FIXED });

/** The body of PUT: every field has a default. */
export const topicSettings = strict(requestShape(topicTable, {}, topicDefaults))
  .transform((fields) => toChanges<TopicSettings>(topicTable, fields))
  .register(components, {
    id: 'TopicSettings',
    description: 'Settings of a new topic; each has a default.',
    examples: { defaults: {}, 'two weeks': { retention_seconds: 1_209_600 } },
  });
/** The body of PATCH. */
export const topicChanges = topicFields
  .superRefine(refuseNothing)
  .meta(AT_LEAST_ONE)
  .transform((fields) => toChanges<TopicSettings>(topicTable, fields))
  .register(components, {
    id: 'TopicChanges',
    description: 'The settings to change, at least one; the others keep their values.',
    examples: { 'larger messages': { max_message_bytes: 4_194_304 } },
  });

const start = z.union([z.literal(['earliest', 'latest']), time], {
  error: 'must be "earliest", "latest" or an RFC 3339 time such as 2026-01-31T09:30:00Z',
});

const changeableFields = requestShape(subscriptionTable, subscriptionGroups);
const FIXED = `${NAME_FIXED}: make another subscription`;
const changeable = strict(changeableFields, undefined, { topic: FIXED, start: FIXED, name: FIXED });
type SubscriptionFields = z.output<typeof changeable>;

/** The body of PUT: every field has a default. */
export const subscriptionSettings = strict({
  topic: name
    .optional()
    .describe(
      'The topic to read, which must exist. Without it, the topic of the same name is used, and created ' +
        'if necessary.',
    ),
  start: start.optional().meta({ description: START_WORDS, [WIRE_DEFAULT]: 'latest' }),
  ...requestShape(subscriptionTable, subscriptionGroups, subscriptionDefaults),
})
  .superRefine(refuseCrossedBackoffs)
  .transform(({ topic, start, ...fields }) => ({
    topic,
    start,
    settings: toChanges<SubscriptionSettings>(subscriptionTable, fields),
  }))
  .register(components, {
    id: 'SubscriptionSettings',
    description: 'Settings of a new subscription; each has a default.',
    examples: {
      'a plain queue': {},
      'of a topic': { topic: 'payments', visibility_timeout_seconds: 60, max_attempts: 5 },
    },
  });
/** The body of PATCH: the topic, and where reading began, stay what they are. */
export const subscriptionChanges = changeable
  .superRefine(refuseNothing)
  .superRefine(refuseGivenCrossedBackoffs)
  .meta(AT_LEAST_ONE)
  .transform((fields) => toChanges<SubscriptionSettings>(subscriptionTable, fields))
  .register(components, {
    id: 'SubscriptionChanges',
    description:
      'The settings to change, at least one; the others keep their values. `topic` and `start` cannot ' + 'be changed.',
    examples: { 'a bound': { max_in_flight: 500 }, 'no bound': { max_in_flight: null } },
  });

function refuseNothing(fields: object, context: z.RefinementCtx): void {
  if (Object.keys(fields).length > 0) return;
  context.addIssue({ code: 'custom', message: 'must name at least one setting to change' });
}

/** With the defaults that creation fills in. */
function refuseCrossedBackoffs(fields: SubscriptionFields, context: z.RefinementCtx): void {
  refuseCrossed(
    fields.retry?.min_backoff_seconds ?? limits.minBackoffSecondsDefault,
    fields.retry?.max_backoff_seconds ?? limits.maxBackoffSecondsDefault,
    context,
  );
}

/** With what is given alone: the other bound may be any. */
function refuseGivenCrossedBackoffs(fields: SubscriptionFields, context: z.RefinementCtx): void {
  const { min_backoff_seconds: min, max_backoff_seconds: max } = fields.retry ?? {};
  if (min !== undefined && max !== undefined) refuseCrossed(min, max, context);
}

function refuseCrossed(min: number, max: number, context: z.RefinementCtx): void {
  if (min <= max) return;
  const message = `must be at least min_backoff_seconds (${min}); it is ${max}`;
  context.addIssue({ code: 'custom', path: ['retry', 'max_backoff_seconds'], message });
}
