// Acts as the journal records them: the described state of a topic, a subscription or a key.

import type { ApiKey } from '../domain/api-key.ts';
import { type Act, describeChange, type JournalAction, pick } from '../domain/journal.ts';
import { type Subscription, subscriptionDefaults } from '../domain/subscription.ts';
import { type Topic, topicDefaults } from '../domain/topic.ts';

/** The noun before and after the act; absent where there was none, or is none any more. */
interface Sides<Noun> {
  readonly before?: Noun;
  readonly after?: Noun;
}

const topicFields = Object.keys(topicDefaults);
const subscriptionFields = ['start', ...Object.keys(subscriptionDefaults)];
const keyFields = ['roles', 'expiresAt', 'requestsPerSecond', 'publicKeys'];

export function actOnTopic(action: JournalAction, sides: Sides<Topic>): Act {
  const { name, publicId } = theOne(sides);
  return { subject: 'topic', action, name, subjectId: publicId, topic: null, ...valuesOf(sides, topicFields) };
}

/** Nothing where nothing changed. */
export function updateOfTopic(before: Topic, after: Topic): readonly Act[] {
  return changeOf(actOnTopic('update', { before, after }));
}

export function actOnSubscription(action: JournalAction, sides: Sides<Subscription>): Act {
  const { name, topic, publicId: subjectId } = theOne(sides);
  return { subject: 'subscription', action, name, subjectId, topic, ...valuesOf(sides, subscriptionFields) };
}

/** Nothing where nothing changed. */
export function updateOfSubscription(before: Subscription, after: Subscription): readonly Act[] {
  return changeOf(actOnSubscription('update', { before, after }));
}

export function actOnKey(action: JournalAction, sides: Sides<ApiKey>): Act {
  const { client, keyId } = theOne(sides);
  return { subject: 'key', action, name: client, subjectId: keyId, topic: null, ...valuesOf(sides, keyFields) };
}

function theOne<Noun>({ before, after }: Sides<Noun>): Noun {
  const noun = after ?? before;
  if (noun === undefined) throw new Error('An act is about something.');
  return noun;
}

function valuesOf<Noun extends object>({ before, after }: Sides<Noun>, fields: readonly string[]) {
  return {
    before: before === undefined ? null : pick(before, fields),
    after: after === undefined ? null : pick(after, fields),
  };
}

function changeOf(act: Act): readonly Act[] {
  const change = describeChange(act.before ?? {}, act.after ?? {});
  return change === null ? [] : [{ ...act, ...change }];
}
