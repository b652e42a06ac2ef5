// What may be said of topics and subscriptions, on creation and on change.

import { z } from 'zod';
import { limits } from '../../../domain/limits.ts';
import type { SubscriptionChanges, TopicChanges } from '../../../engine/types.ts';
import { name, strict, time, wholeNumber } from './fields.ts';

const retentionSeconds = (min: number) => wholeNumber(min, limits.retentionSecondsMax).optional();

const topicFields = strict({
  retention_seconds: retentionSeconds(limits.retentionSecondsMin),
  retain_acknowledged_seconds: retentionSeconds(0),
  expired_retention_seconds: retentionSeconds(0),
  dedupe_window_seconds: wholeNumber(1, limits.dedupeWindowSecondsMax).optional(),
  max_message_bytes: wholeNumber(1, limits.messageBytesMax).optional(),
});

/** The body of PUT: every field has a default. */
export const topicSettings = topicFields.transform(toTopicChanges);
/** The body of PATCH. */
export const topicChanges = topicFields.superRefine(refuseNothing).transform(toTopicChanges);

const retry = strict({
  min_backoff_seconds: wholeNumber(0, limits.backoffSecondsMax).optional(),
  max_backoff_seconds: wholeNumber(0, limits.backoffSecondsMax).optional(),
});

const changeableFields = {
  visibility_timeout_seconds: wholeNumber(
    limits.visibilityTimeoutSecondsMin,
    limits.visibilityTimeoutSecondsMax,
  ).optional(),
  delay_seconds: wholeNumber(0, limits.subscriptionDelaySecondsMax).optional(),
  max_attempts: wholeNumber(1, limits.maxAttemptsMax).optional(),
  max_deliveries: wholeNumber(1, limits.maxDeliveriesMax).optional(),
  retry: retry.optional(),
  max_in_flight: wholeNumber(1, limits.maxInFlightMax).nullable().optional(),
};

const start = z.union([z.literal(['earliest', 'latest']), time], {
  error: 'must be "earliest", "latest" or an RFC 3339 time such as 2026-01-31T09:30:00Z',
});

const changeable = strict(changeableFields);
type SubscriptionFields = z.output<typeof changeable>;

/** The body of PUT: every field has a default. */
export const subscriptionSettings = strict({ topic: name.optional(), start: start.optional(), ...changeableFields })
  .superRefine(refuseCrossedBackoffs)
  .transform((fields) => ({ topic: fields.topic, start: fields.start, settings: toSubscriptionChanges(fields) }));
/** The body of PATCH: the topic, and where reading began, stay what they are. */
export const subscriptionChanges = changeable
  .superRefine(refuseNothing)
  .superRefine(refuseGivenCrossedBackoffs)
  .transform(toSubscriptionChanges);

function toTopicChanges(fields: z.output<typeof topicFields>): TopicChanges {
  return {
    retentionSeconds: fields.retention_seconds,
    retainAcknowledgedSeconds: fields.retain_acknowledged_seconds,
    expiredRetentionSeconds: fields.expired_retention_seconds,
    dedupeWindowSeconds: fields.dedupe_window_seconds,
    maxMessageBytes: fields.max_message_bytes,
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
