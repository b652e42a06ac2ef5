// The client's calls for topics, subscriptions, their records, and keys.
// Every call is repeatable, except creating a key: its answer is the only copy of the secret.

import type { Caller, CallOptions } from './calls.ts';
import type * as api from './types.ts';

export interface TopicCalls {
  createTopic(topic: string, settings?: api.TopicSettings, options?: CallOptions): Promise<api.Topic>;
  updateTopic(topic: string, changes: api.TopicSettings, options?: CallOptions): Promise<api.Topic>;
  getTopic(topic: string, options?: CallOptions): Promise<api.Topic>;
  deleteTopic(topic: string, options?: CallOptions): Promise<void>;
  listTopics(
    page?: api.NamePage,
    options?: CallOptions,
  ): Promise<{ readonly topics: readonly api.Topic[]; readonly next: string | null; readonly hasMore: boolean }>;
}

export interface SubscriptionCalls {
  createSubscription(
    subscription: string,
    settings?: api.NewSubscription,
    options?: CallOptions,
  ): Promise<api.Subscription>;
  updateSubscription(
    subscription: string,
    changes: api.SubscriptionSettings,
    options?: CallOptions,
  ): Promise<api.Subscription>;
  getSubscription(
    subscription: string,
    options?: CallOptions,
  ): Promise<api.Subscription & { readonly stats: api.SubscriptionStats }>;
  deleteSubscription(subscription: string, options?: CallOptions): Promise<void>;
  listSubscriptions(
    page?: api.NamePage,
    options?: CallOptions,
  ): Promise<{
    readonly subscriptions: readonly api.Subscription[];
    readonly next: string | null;
    readonly hasMore: boolean;
  }>;

  listAcknowledgments(
    subscription: string,
    page?: api.AcknowledgmentsPage,
    options?: CallOptions,
  ): Promise<api.LedgerPage & { readonly acknowledgments: readonly api.Acknowledgment[] }>;
  listDeadLetters(
    subscription: string,
    page?: api.DeadLettersPage,
    options?: CallOptions,
  ): Promise<api.LedgerPage & { readonly deadLetters: readonly api.DeadLetter[] }>;
}

/** For auditors. */
export interface AuditCalls {
  /** Out of all ledgers that the key covers; a page may be empty while there is more. */
  searchAcknowledgments(
    search?: api.AcknowledgmentsSearch,
    options?: CallOptions,
  ): Promise<{
    readonly acknowledgments: readonly api.Acknowledgment[];
    readonly next: string | null;
    readonly hasMore: boolean;
  }>;
  /** What was published before a time and not acknowledged by then. */
  listUnacknowledged(
    subscription: string,
    page?: api.UnacknowledgedPage,
    options?: CallOptions,
  ): Promise<
    api.LedgerPage & {
      readonly messages: readonly api.UnacknowledgedMessage[];
      readonly completeFrom: string | null;
    }
  >;
}

export interface KeyCalls {
  createKey(key: api.NewKey, options?: CallOptions): Promise<api.CreatedKey>;
  getKey(id: string, options?: CallOptions): Promise<api.ApiKey>;
  listKeys(
    page?: api.KeysPage,
    options?: CallOptions,
  ): Promise<{ readonly keys: readonly api.ApiKey[]; readonly next: string | null; readonly hasMore: boolean }>;
  revokeKey(id: string, options?: CallOptions): Promise<void>;
}

export function createTopicCalls(call: Caller): TopicCalls {
  return {
    createTopic: (topic, body = {}, options) => store(call, 'PUT', ['topics', topic], body, options),
    updateTopic: (topic, body, options) => store(call, 'PATCH', ['topics', topic], body, options),
    getTopic: (topic, options) => read(call, ['topics', topic], {}, options),
    deleteTopic: (topic, options) => remove(call, ['topics', topic], options),
    listTopics: (page = {}, options) => read(call, ['topics'], page, options),
  };
}

export function createSubscriptionCalls(call: Caller): SubscriptionCalls {
  const pathTo = (subscription: string, ...rest: string[]) => ['subscriptions', subscription, ...rest];
  return {
    createSubscription: (name, body = {}, options) => store(call, 'PUT', pathTo(name), body, options),
    updateSubscription: (name, body, options) => store(call, 'PATCH', pathTo(name), body, options),
    getSubscription: (name, options) => read(call, pathTo(name), {}, options),
    deleteSubscription: (name, options) => remove(call, pathTo(name), options),
    listSubscriptions: (page = {}, options) => read(call, ['subscriptions'], page, options),
    listAcknowledgments: (name, page = {}, options) => read(call, pathTo(name, 'acknowledgments'), page, options),
    listDeadLetters: (name, page = {}, options) => read(call, pathTo(name, 'dead-letters'), page, options),
  };
}

export function createAuditCalls(call: Caller): AuditCalls {
  return {
    searchAcknowledgments: (search = {}, options) => read(call, ['acknowledgments'], search, options),
    listUnacknowledged: (name, page = {}, options) =>
      read(call, ['subscriptions', name, 'unacknowledged'], page, options),
  };
}

export function createKeyCalls(call: Caller): KeyCalls {
  return {
    createKey: async (body, options) =>
      (await call({ method: 'POST', path: ['keys'], body, repeatable: false }, options)) as api.CreatedKey,
    getKey: (id, options) => read(call, ['keys', id], {}, options),
    listKeys: (page = {}, options) => read(call, ['keys'], page, options),
    revokeKey: (id, options) => remove(call, ['keys', id], options),
  };
}

async function store<Answer>(
  call: Caller,
  method: 'PUT' | 'PATCH',
  path: readonly string[],
  body: object,
  options: CallOptions | undefined,
): Promise<Answer> {
  return (await call({ method, path, body, repeatable: true }, options)) as Answer;
}

async function read<Answer>(
  call: Caller,
  path: readonly string[],
  query: object,
  options: CallOptions | undefined,
): Promise<Answer> {
  return (await call({ method: 'GET', path, query, repeatable: true }, options)) as Answer;
}

async function remove(call: Caller, path: readonly string[], options: CallOptions | undefined): Promise<void> {
  await call({ method: 'DELETE', path, repeatable: true }, options);
}
