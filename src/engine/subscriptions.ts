// Subscriptions: create, get, list, update, delete. A subscription without a topic is a plain queue: it gets a topic of
// its own name. Creation is repeatable: it changes nothing that exists.

import type { Principal } from '../domain/access.ts';
import { WillcallError } from '../domain/errors.ts';
import { limits } from '../domain/limits.ts';
import type { StartPosition, Subscription, SubscriptionSettings, SubscriptionStats } from '../domain/subscription.ts';
import type { Topic } from '../domain/topic.ts';
import type { Store } from '../store/index.ts';
import type { Directory } from './lookups/directory.ts';
import type { NamePageRequest } from './pages.ts';
import { requireTopic, topicDefaults } from './topics.ts';
import type { Wakeups } from './waiting/wakeups.ts';

const defaults: SubscriptionSettings = {
  visibilityTimeoutSeconds: limits.visibilityTimeoutSecondsDefault,
  delaySeconds: 0,
  maxAttempts: limits.maxAttemptsDefault,
  maxDeliveries: limits.maxDeliveriesDefault,
  minBackoffSeconds: limits.minBackoffSecondsDefault,
  maxBackoffSeconds: limits.maxBackoffSecondsDefault,
  maxInFlight: null,
};

/** What the caller said; what is absent takes its default on creation and stays as it is on change. */
export type SubscriptionChanges = { readonly [K in keyof SubscriptionSettings]?: SubscriptionSettings[K] | undefined };

export interface CreateSubscriptionRequest {
  readonly name: string;
  /** Absent: a topic of the same name, which is created when there is none. A named topic must exist. */
  readonly topic?: string | undefined;
  readonly start?: StartPosition | undefined;
  readonly settings: SubscriptionChanges;
  readonly caller: Principal;
}

export interface UpdateSubscriptionRequest {
  readonly name: string;
  readonly settings: SubscriptionChanges;
  readonly caller: Principal;
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
  listSubscriptions(page: NamePageRequest): Promise<{ subscriptions: readonly Subscription[]; next: string | null }>;
  /** Throws `subscription_not_found`. */
  updateSubscription(request: UpdateSubscriptionRequest): Promise<Subscription>;
  /** Throws `subscription_not_found`. */
  deleteSubscription(name: string, caller: Principal): Promise<void>;
}

export function createSubscriptionVerbs(options: {
  store: Store;
  directory: Directory;
  wakeups: Wakeups;
}): SubscriptionVerbs {
  const { store, directory, wakeups } = options;

  return {
    createSubscription: async (request: CreateSubscriptionRequest) => {
      const { name, caller } = request;
      const existing = await store.subscriptions.find(name);
      if (existing !== null) return { subscription: agreeing(existing, request), created: false };
      const settings = { ...defaults, ...given(request.settings) };
      checkBackoff(settings);
      const topic = await topicFor(store, request);
      const created = await store.subscriptions.create(
        { ...settings, topicId: topic.topicId, topic: topic.name, name, start: request.start ?? 'latest' },
        caller,
      );
      if (created !== null) return { subscription: created, created: true };
      // Somebody else made it in the same moment.
      return { subscription: agreeing(await requireSubscription(store, name), request), created: false };
    },

    getSubscription: async (name) => {
      const subscription = await requireSubscription(store, name);
      return { subscription, stats: await store.subscriptions.stats(subscription) };
    },

    listSubscriptions: async ({ after, limit, scopes }: NamePageRequest) => {
      const subscriptions = await store.subscriptions.list({
        after: after ?? '',
        limit: limit + 1,
        scopes: scopes ?? ['*'],
      });
      const page = subscriptions.slice(0, limit);
      return { subscriptions: page, next: subscriptions.length > limit ? (page.at(-1)?.name ?? null) : null };
    },

    updateSubscription: async ({ name, settings }) => {
      const subscription = await requireSubscription(store, name);
      checkBackoff({ ...subscription, ...given(settings) });
      const updated = await store.subscriptions.update(subscription, given(settings));
      directory.forget(name);
      if (updated === null) throw notFound(name);
      // A shorter delay or a wider bound makes more receivable.
      wakeups.wakeSubscription(subscription.subscriptionId);
      return updated;
    },

    deleteSubscription: async (name, caller) => {
      const subscription = await requireSubscription(store, name);
      const deleted = await store.subscriptions.delete(subscription, caller);
      directory.forget(name);
      if (!deleted) throw notFound(name);
      wakeups.wakeSubscription(subscription.subscriptionId);
    },
  };
}

function notFound(name: string): WillcallError {
  return new WillcallError('subscription_not_found', { subscription: name });
}

async function requireSubscription(store: Store, name: string): Promise<Subscription> {
  const subscription = await store.subscriptions.find(name);
  if (subscription === null) throw notFound(name);
  return subscription;
}

/** A named topic must exist; one of the subscription's own name is made. */
async function topicFor(store: Store, { name, topic, caller }: CreateSubscriptionRequest): Promise<Topic> {
  if (topic !== undefined) return requireTopic(store, topic);
  return (await store.topics.create(name, topicDefaults, caller)) ?? requireTopic(store, name);
}

function checkBackoff({ minBackoffSeconds, maxBackoffSeconds }: SubscriptionSettings): void {
  if (minBackoffSeconds <= maxBackoffSeconds) return;
  const limit = { rule: 'at_most', other: 'maxBackoffSeconds', value: maxBackoffSeconds } as const;
  throw new WillcallError('invalid_request', { fields: [{ path: ['minBackoffSeconds'], ...limit }] });
}

/** The existing one if all that the request says is true of it. Throws `subscription_conflict`. */
function agreeing(existing: Subscription, request: CreateSubscriptionRequest): Subscription {
  const said = Object.entries(given(request.settings)) as [keyof SubscriptionSettings, number | null][];
  const differing: string[] = said.filter(([key, value]) => existing[key] !== value).map(([key]) => key);
  if (request.topic !== undefined && request.topic !== existing.topic) differing.push('topic');
  if (request.start !== undefined && !sameStart(request.start, existing.start)) differing.push('start');
  if (differing.length === 0) return existing;
  throw new WillcallError('subscription_conflict', { subscription: request.name, differing });
}

function sameStart(a: StartPosition, b: StartPosition): boolean {
  return a instanceof Date && b instanceof Date ? a.getTime() === b.getTime() : a === b;
}

/** What the caller said, without what it left out. */
function given(settings: SubscriptionChanges): Partial<SubscriptionSettings> {
  return Object.fromEntries(Object.entries(settings).filter(([, value]) => value !== undefined));
}
