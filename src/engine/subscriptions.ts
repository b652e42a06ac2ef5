// Subscriptions: create, get, list, update, delete.
// A subscription without a topic is a plain queue: it gets a topic of its own name. Creation can be
// repeated: it changes nothing that exists.

import type { Principal } from '../domain/access.ts';
import { WillcallError } from '../domain/errors.ts';
import { isSameInstant } from '../domain/instant.ts';
import type { Logger } from '../domain/logger.ts';
import { type Changes, differences, given } from '../domain/settings.ts';
import {
  type DeletedSubscription,
  type StartPosition,
  type Subscription,
  type SubscriptionSettings,
  type SubscriptionStats,
  subscriptionDefaults,
} from '../domain/subscription.ts';
import { type Topic, topicDefaults } from '../domain/topic.ts';
import type { Store } from '../store/index.ts';
import { type ActRequest, actorOf, logActs } from './journal.ts';
import type { Directory } from './lookups/directory.ts';
import { type NamePageRequest, readPage } from './pages.ts';
import { type DeleteOptions, type Expectation, requireExpected } from './preconditions.ts';
import { refuseReservedName, requireTopic } from './topics.ts';
import type { Wakeups } from './waiting/wakeups.ts';

/** What is absent takes its default on creation and stays as it is on change. */
export type SubscriptionChanges = Changes<SubscriptionSettings>;

export interface CreateSubscriptionRequest extends ActRequest {
  readonly name: string;
  /** Absent: the topic of the same name, created if need be. A named topic must exist. */
  readonly topic?: string | undefined;
  readonly start?: StartPosition | undefined;
  readonly settings: SubscriptionChanges;
  /** Absent: whatever there is. Throws `precondition_failed` where it is not met. */
  readonly expected?: Expectation<Subscription> | undefined;
}

export interface UpdateSubscriptionRequest extends ActRequest {
  readonly name: string;
  readonly settings: SubscriptionChanges;
  /** Absent: whatever there is. Throws `precondition_failed` where it is not met. */
  readonly expected?: Expectation<Subscription> | undefined;
}

export interface SubscriptionVerbs {
  /**
   * Creates, or returns the existing one if what is given agrees. Throws `topic_not_found`,
   * `subscription_conflict`.
   */
  createSubscription(request: CreateSubscriptionRequest): Promise<{ subscription: Subscription; created: boolean }>;
  /** Throws `subscription_not_found`. */
  getSubscription(name: string): Promise<{ subscription: Subscription; stats: SubscriptionStats }>;
  /** In order of name. */
  listSubscriptions(
    page: NamePageRequest,
  ): Promise<{ subscriptions: readonly Subscription[]; next: string | null; hasMore: boolean }>;
  /** Tombstones in order of name; `after` is the public id of the last one. */
  listDeletedSubscriptions(
    page: NamePageRequest,
  ): Promise<{ subscriptions: readonly DeletedSubscription[]; next: string | null; hasMore: boolean }>;
  /** Throws `subscription_not_found`. */
  updateSubscription(request: UpdateSubscriptionRequest): Promise<Subscription>;
  /** Throws `subscription_not_found`. */
  deleteSubscription(name: string, caller: Principal, options?: DeleteOptions<Subscription>): Promise<void>;
}

interface SubscriptionDeps {
  readonly store: Store;
  readonly directory: Directory;
  readonly wakeups: Wakeups;
  readonly logger: Logger;
}

export function createSubscriptionVerbs(deps: SubscriptionDeps): SubscriptionVerbs {
  const { store, directory, wakeups, logger } = deps;

  async function createSubscription(request: CreateSubscriptionRequest) {
    const { name, start = 'latest', expected } = request;
    const actor = actorOf(request);
    const existing = await store.subscriptions.find(name);
    requireExpected(expected, existing);
    if (existing !== null) return { subscription: agreeing(existing, request), created: false };
    refuseReservedName('subscription', name);
    const settings = { ...subscriptionDefaults, ...given(request.settings) };
    checkBackoff(settings);
    const { topicId, publicId: topicPublicId, name: topic } = await topicFor(deps, request);
    const wanted = { ...settings, topicId, topicPublicId, topic, name, start };
    const created = await store.subscriptions.create(wanted, actor);
    if (created !== null) return { subscription: logActs(logger, actor, created), created: true };
    // Another caller made it at the same moment.
    const theirs = await requireSubscription(store, name);
    requireExpected(expected, theirs);
    return { subscription: agreeing(theirs, request), created: false };
  }

  async function getSubscription(name: string) {
    const subscription = await requireSubscription(store, name);
    return { subscription, stats: await store.subscriptions.stats(subscription) };
  }

  async function listSubscriptions({ after = '', limit, scopes = ['*'] }: NamePageRequest) {
    const read = (rows: number) => store.subscriptions.list({ after, limit: rows, scopes });
    const { items, next, hasMore } = await readPage(limit, read, ({ name }) => name);
    return { subscriptions: items, next, hasMore };
  }

  async function listDeletedSubscriptions({ after = '', limit, scopes = ['*'] }: NamePageRequest) {
    const read = (rows: number) => store.subscriptions.listDeleted({ after, limit: rows, scopes });
    const { items, next, hasMore } = await readPage(limit, read, ({ publicId }) => publicId);
    return { subscriptions: items, next, hasMore };
  }

  async function updateSubscription(request: UpdateSubscriptionRequest): Promise<Subscription> {
    const { name, settings, expected } = request;
    const actor = actorOf(request);
    const subscription = await requireSubscription(store, name);
    // Judged under the row's lock: two changes that each agree with what is may not agree together.
    const judge = (current: Subscription) => {
      requireExpected(expected, current);
      checkBackoff({ ...current, ...given(settings) });
    };
    const updated = await store.subscriptions.update(subscription, given(settings), { actor, judge });
    directory.forget(name);
    if (updated === null) throw new WillcallError('subscription_not_found', { subscription: name });
    // A shorter delay or a wider bound makes more receivable.
    wakeups.wakeSubscription(subscription.subscriptionId);
    return logActs(logger, actor, updated);
  }

  async function deleteSubscription(
    name: string,
    caller: Principal,
    options: DeleteOptions<Subscription> = {},
  ): Promise<void> {
    const { keyId = null, expected } = options;
    const actor = actorOf({ caller, keyId });
    const subscription = await requireSubscription(store, name);
    const judge = (current: Subscription) => requireExpected(expected, current);
    const deletion = await store.subscriptions.delete(subscription, { actor, judge });
    directory.forget(name);
    if (!logActs(logger, actor, deletion)) throw new WillcallError('subscription_not_found', { subscription: name });
    wakeups.wakeSubscription(subscription.subscriptionId);
  }

  return {
    createSubscription,
    getSubscription,
    listSubscriptions,
    listDeletedSubscriptions,
    updateSubscription,
    deleteSubscription,
  };
}

async function requireSubscription(store: Store, name: string): Promise<Subscription> {
  const subscription = await store.subscriptions.find(name);
  if (subscription === null) throw new WillcallError('subscription_not_found', { subscription: name });
  return subscription;
}

/** A named topic must exist; one of the subscription's own name is made. */
async function topicFor(
  { store, logger }: SubscriptionDeps,
  { name, topic, ...request }: CreateSubscriptionRequest,
): Promise<Topic> {
  if (topic !== undefined) return requireTopic(store, topic);
  const actor = actorOf(request);
  const created = await store.topics.create(name, topicDefaults, actor);
  return created === null ? requireTopic(store, name) : logActs(logger, actor, created);
}

function checkBackoff({ minBackoffSeconds, maxBackoffSeconds }: SubscriptionSettings): void {
  if (minBackoffSeconds <= maxBackoffSeconds) return;
  const limit = { rule: 'at_most', other: 'maxBackoffSeconds', value: maxBackoffSeconds } as const;
  throw new WillcallError('invalid_request', { fields: [{ path: ['minBackoffSeconds'], ...limit }] });
}

/** The existing one if all that the request says is true of it. Throws `subscription_conflict`. */
function agreeing(existing: Subscription, { name, topic, start, settings }: CreateSubscriptionRequest): Subscription {
  const differing: string[] = differences(existing, settings);
  if (topic !== undefined && topic !== existing.topic) differing.push('topic');
  if (start !== undefined && !sameStart(start, existing.start)) differing.push('start');
  if (differing.length === 0) return existing;
  throw new WillcallError('subscription_conflict', { subscription: name, differing });
}

function sameStart(a: StartPosition, b: StartPosition): boolean {
  return a instanceof Date && b instanceof Date ? isSameInstant(a, b) : a === b;
}
