// What may be said of topics and subscriptions, on creation and on change.

import { z } from 'zod';
import { limits } from '../../../domain/limits.ts';
import type { SubscriptionChanges } from '../../../engine/subscriptions.ts';
import type { TopicChanges } from '../../../engine/topics.ts';
import { components } from './components.ts';
import { name, strict, time, wholeNumber } from './fields.ts';

/** What each setting means, for requests and answers alike. */
export const topicWords = {
  retention_seconds: 'How long a message that somebody has not acknowledged is kept.',
  retain_acknowledged_seconds: 'How long a message that every subscription settled stays in the log.',
  expired_retention_seconds: 'How long messages that expired undelivered stay in the log.',
  dedupe_window_seconds: 'How long a `dedupe_key` is remembered.',
  max_message_bytes: 'The largest body that publish accepts.',
  max_backlog: 'The backlog beyond which no publish may bring any subscription; null is no bound.',
} as const;
export const subscriptionWords = {
  start:
    'Where it begins to read: with the oldest message kept, with what comes, or with what was published from a time on.',
  visibility_timeout_seconds: 'How long a consumer has for a message before it goes to somebody else.',
  delay_seconds: 'Messages become receivable when they are this old.',
  max_attempts: 'Failed attempts until a message is a dead letter.',
  max_deliveries: 'Deliveries, failed or not, until a message is a dead letter.',
  retry: 'The back-off after a failed attempt: it doubles from the shortest to the longest, with jitter.',
  min_backoff_seconds: 'The shortest back-off.',
  max_backoff_seconds: 'The longest back-off; not below the shortest.',
  max_in_flight: 'Messages that may be in flight at once; null is no bound.',
} as const;
const AT_LEAST_ONE = { minProperties: 1 };

const retentionSeconds = (min: number) => wholeNumber(min, limits.retentionSecondsMax).optional();

const topicFields = strict({
  retention_seconds: retentionSeconds(limits.retentionSecondsMin).describe(topicWords.retention_seconds),
  retain_acknowledged_seconds: retentionSeconds(0).describe(topicWords.retain_acknowledged_seconds),
  expired_retention_seconds: retentionSeconds(0).describe(topicWords.expired_retention_seconds),
  dedupe_window_seconds: wholeNumber(1, limits.dedupeWindowSecondsMax)
    .optional()
    .describe(topicWords.dedupe_window_seconds),
  max_message_bytes: wholeNumber(1, limits.messageBytesMax).optional().describe(topicWords.max_message_bytes),
  max_backlog: wholeNumber(1, limits.maxBacklogMax).nullable().optional().describe(topicWords.max_backlog),
});

/** The body of PUT: every field has a default. */
export const topicSettings = topicFields.transform(toTopicChanges).register(components, {
  id: 'TopicSettings',
  description: `Settings of a new topic; each has a default: ${listDefaults({
    retention_seconds: limits.retentionSecondsDefault,
    retain_acknowledged_seconds: limits.retainAcknowledgedSecondsDefault,
    expired_retention_seconds: limits.expiredRetentionSecondsDefault,
    dedupe_window_seconds: limits.dedupeWindowSecondsDefault,
    max_message_bytes: limits.messageBytesDefault,
    max_backlog: 'null',
  })}.`,
  examples: { defaults: {}, 'two weeks': { retention_seconds: 1_209_600 } },
});
/** The body of PATCH. */
export const topicChanges = topicFields
  .superRefine(refuseNothing)
  .meta(AT_LEAST_ONE)
  .transform(toTopicChanges)
  .register(components, {
    id: 'TopicChanges',
    description: 'The settings to change, at least one; the others stay what they are.',
    examples: { 'larger messages': { max_message_bytes: 4_194_304 } },
  });

const retry = strict({
  min_backoff_seconds: wholeNumber(0, limits.backoffSecondsMax)
    .optional()
    .describe(subscriptionWords.min_backoff_seconds),
  max_backoff_seconds: wholeNumber(0, limits.backoffSecondsMax)
    .optional()
    .describe(subscriptionWords.max_backoff_seconds),
});

const changeableFields = {
  visibility_timeout_seconds: wholeNumber(limits.visibilityTimeoutSecondsMin, limits.visibilityTimeoutSecondsMax)
    .optional()
    .describe(subscriptionWords.visibility_timeout_seconds),
  delay_seconds: wholeNumber(0, limits.subscriptionDelaySecondsMax)
    .optional()
    .describe(subscriptionWords.delay_seconds),
  max_attempts: wholeNumber(1, limits.maxAttemptsMax).optional().describe(subscriptionWords.max_attempts),
  max_deliveries: wholeNumber(1, limits.maxDeliveriesMax).optional().describe(subscriptionWords.max_deliveries),
  retry: retry.optional().describe(subscriptionWords.retry),
  max_in_flight: wholeNumber(1, limits.maxInFlightMax).nullable().optional().describe(subscriptionWords.max_in_flight),
};

const start = z.union([z.literal(['earliest', 'latest']), time], {
  error: 'must be "earliest", "latest" or an RFC 3339 time such as 2026-01-31T09:30:00Z',
});

const changeable = strict(changeableFields);
type SubscriptionFields = z.output<typeof changeable>;

/** The body of PUT: every field has a default. */
export const subscriptionSettings = strict({
  topic: name
    .optional()
    .describe('The topic to read, which must exist; without it the topic of the same name, created if need be.'),
  start: start.optional().describe(subscriptionWords.start),
  ...changeableFields,
})
  .superRefine(refuseCrossedBackoffs)
  .transform((fields) => ({ topic: fields.topic, start: fields.start, settings: toSubscriptionChanges(fields) }))
  .register(components, {
    id: 'SubscriptionSettings',
    description: `Settings of a new subscription; each has a default: ${listDefaults({
      start: '"latest"',
      visibility_timeout_seconds: limits.visibilityTimeoutSecondsDefault,
      delay_seconds: 0,
      max_attempts: limits.maxAttemptsDefault,
      max_deliveries: limits.maxDeliveriesDefault,
      'retry.min_backoff_seconds': limits.minBackoffSecondsDefault,
      'retry.max_backoff_seconds': limits.maxBackoffSecondsDefault,
      max_in_flight: 'null',
    })}.`,
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
  .transform(toSubscriptionChanges)
  .register(components, {
    id: 'SubscriptionChanges',
    description:
      'The settings to change, at least one; the others stay what they are. `topic` and `start` cannot change.',
    examples: { 'a bound': { max_in_flight: 500 }, 'no bound': { max_in_flight: null } },
  });

function listDefaults(defaults: Record<string, number | string>): string {
  return Object.entries(defaults)
    .map(([field, value]) => `\`${field}\` ${value}`)
    .join(', ');
}

function toTopicChanges(fields: z.output<typeof topicFields>): TopicChanges {
  return {
    retentionSeconds: fields.retention_seconds,
    retainAcknowledgedSeconds: fields.retain_acknowledged_seconds,
    expiredRetentionSeconds: fields.expired_retention_seconds,
    dedupeWindowSeconds: fields.dedupe_window_seconds,
    maxMessageBytes: fields.max_message_bytes,
    maxBacklog: fields.max_backlog,
  };
}

function toSubscriptionChanges(fields: SubscriptionFields): SubscriptionChanges {
  return {
    visibilityTimeoutSeconds: fields.visibility_timeout_seconds,
    delaySeconds: fields.delay_seconds,
    maxAttempts: fields.max_attempts,
    maxDeliveries: fields.max_deliveries,
    minBackoffSeconds: fields.retry?.min_backoff_seconds,
    maxBackoffSeconds: fields.retry?.max_backoff_seconds,
    maxInFlight: fields.max_in_flight,
  };
}

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
