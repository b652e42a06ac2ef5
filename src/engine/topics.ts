// Topics: create, get, list, update, delete. PUT-like creation is repeatable: it changes nothing that exists.

import type { Principal } from '../domain/access.ts';
import { WillcallError } from '../domain/errors.ts';
import { limits } from '../domain/limits.ts';
import type { Topic, TopicSettings } from '../domain/topic.ts';
import type { Store } from '../store/index.ts';
import type { Directory } from './lookups/directory.ts';
import type { NamePageRequest } from './pages.ts';
import type { Wakeups } from './waiting/wakeups.ts';

const defaults: TopicSettings = {
  retentionSeconds: limits.retentionSecondsDefault,
  retainAcknowledgedSeconds: limits.retainAcknowledgedSecondsDefault,
  expiredRetentionSeconds: limits.expiredRetentionSecondsDefault,
  dedupeWindowSeconds: limits.dedupeWindowSecondsDefault,
  maxMessageBytes: limits.messageBytesDefault,
  maxBacklog: null,
};

/** What the caller said; what is absent takes its default on creation and stays as it is on change. */
export type TopicChanges = { readonly [K in keyof TopicSettings]?: TopicSettings[K] | undefined };

export interface CreateTopicRequest {
  readonly name: string;
  readonly settings: TopicChanges;
  readonly caller: Principal;
}

export interface TopicVerbs {
  /** Creates, or returns the existing topic if every given setting agrees. Throws `topic_conflict`. */
  createTopic(request: CreateTopicRequest): Promise<{ topic: Topic; created: boolean }>;
  /** Throws `topic_not_found`. */
  getTopic(name: string): Promise<Topic>;
  /** In order of name. */
  listTopics(page: NamePageRequest): Promise<{ topics: readonly Topic[]; next: string | null }>;
  /** Throws `topic_not_found`. */
  updateTopic(request: CreateTopicRequest): Promise<Topic>;
  /** Deletes the topic and its subscriptions; the ledger stays. Throws `topic_not_found`. */
  deleteTopic(name: string, caller: Principal): Promise<void>;
}

export function createTopicVerbs(options: { store: Store; directory: Directory; wakeups: Wakeups }): TopicVerbs {
  const { store, directory, wakeups } = options;

  return {
    createTopic: async ({ name, settings, caller }: CreateTopicRequest) => {
      const created = await store.topics.create(name, { ...defaults, ...given(settings) }, caller);
      if (created !== null) return { topic: created, created: true };
      const existing = await requireTopic(store, name);
      const differing = differences(existing, settings);
      if (differing.length > 0) {
        throw new WillcallError('topic_conflict', { topic: name, differing });
      }
      return { topic: existing, created: false };
    },

    getTopic: (name) => requireTopic(store, name),

    listTopics: async ({ after, limit, scopes }: NamePageRequest) => {
      const topics = await store.topics.list({ after: after ?? '', limit: limit + 1, scopes: scopes ?? ['*'] });
      const page = topics.slice(0, limit);
      return { topics: page, next: topics.length > limit ? (page.at(-1)?.name ?? null) : null };
    },

    updateTopic: async ({ name, settings }: CreateTopicRequest) => {
      const topic = await requireTopic(store, name);
      const updated = await store.topics.update(topic.topicId, given(settings));
      directory.forget(name);
      if (updated === null) throw new WillcallError('topic_not_found', { topic: name });
      return updated;
    },

    deleteTopic: async (name, caller) => {
      const topic = await requireTopic(store, name);
      const deleted = await store.topics.delete(topic.topicId, caller);
      directory.forgetAll();
      if (!deleted) throw new WillcallError('topic_not_found', { topic: name });
      // Whoever waits on one of its subscriptions is told that it is gone.
      wakeups.wakeTopic(topic.topicId);
    },
  };
}

/** Throws `topic_not_found`. */
export async function requireTopic(store: Store, name: string): Promise<Topic> {
  const topic = await store.topics.find(name);
  if (topic === null) throw new WillcallError('topic_not_found', { topic: name });
  return topic;
}

export { defaults as topicDefaults };

/** What the caller said, without what it left out. */
function given(settings: TopicChanges): Partial<TopicSettings> {
  return Object.fromEntries(Object.entries(settings).filter(([, value]) => value !== undefined));
}

function differences(topic: Topic, settings: TopicChanges): string[] {
  const said = Object.entries(given(settings)) as [keyof TopicSettings, number | null][];
  return said.filter(([key, value]) => topic[key] !== value).map(([key]) => key);
}
