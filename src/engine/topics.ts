// Topics: create, get, list, update, delete.
// Creation can be repeated: it changes nothing that exists.

import type { Principal } from '../domain/access.ts';
import { WillcallError } from '../domain/errors.ts';
import type { Logger } from '../domain/logger.ts';
import { type Changes, differences, given } from '../domain/settings.ts';
import { type Topic, type TopicSettings, topicDefaults } from '../domain/topic.ts';
import type { Store } from '../store/index.ts';
import { type ActRequest, actorOf, logActs } from './journal.ts';
import type { Directory } from './lookups/directory.ts';
import { type NamePageRequest, readPage } from './pages.ts';
import { type DeleteOptions, type Expectation, requireExpected } from './preconditions.ts';
import type { Wakeups } from './waiting/wakeups.ts';

/** What is absent takes its default on creation and stays as it is on change. */
export type TopicChanges = Changes<TopicSettings>;

export interface CreateTopicRequest extends ActRequest {
  readonly name: string;
  readonly settings: TopicChanges;
  /** Absent: whatever there is. Throws `precondition_failed` where it is not met. */
  readonly expected?: Expectation<Topic> | undefined;
}

export interface TopicVerbs {
  /**
   * Creates, or returns the existing topic if each given setting agrees. Throws `topic_conflict`.
   */
  createTopic(request: CreateTopicRequest): Promise<{ topic: Topic; created: boolean }>;
  /** Throws `topic_not_found`. */
  getTopic(name: string): Promise<Topic>;
  /** In order of name. */
  listTopics(page: NamePageRequest): Promise<{ topics: readonly Topic[]; next: string | null; hasMore: boolean }>;
  /** Throws `topic_not_found`. */
  updateTopic(request: CreateTopicRequest): Promise<Topic>;
  /** Deletes the topic and its subscriptions; the ledger stays. Throws `topic_not_found`. */
  deleteTopic(name: string, caller: Principal, options?: DeleteOptions<Topic>): Promise<void>;
}

/** Of public ids. */
const reservedPrefixes = ['sub_', 'top_'];

interface TopicDeps {
  readonly store: Store;
  readonly directory: Directory;
  readonly wakeups: Wakeups;
  readonly logger: Logger;
}

export function createTopicVerbs({ store, directory, wakeups, logger }: TopicDeps): TopicVerbs {
  async function createTopic({ name, settings, expected, ...request }: CreateTopicRequest) {
    const actor = actorOf(request);
    const existing = await store.topics.find(name);
    requireExpected(expected, existing);
    if (existing === null) {
      refuseReservedName('topic', name);
      const created = await store.topics.create(name, { ...topicDefaults, ...given(settings) }, actor);
      if (created !== null) return { topic: logActs(logger, actor, created), created: true };
    }
    const topic = existing ?? (await requireTopic(store, name));
    requireExpected(expected, topic);
    const differing = differences(topic, settings);
    if (differing.length > 0) throw new WillcallError('topic_conflict', { topic: name, differing });
    return { topic, created: false };
  }

  function getTopic(name: string): Promise<Topic> {
    return requireTopic(store, name);
  }

  async function listTopics({ after = '', limit, scopes = ['*'] }: NamePageRequest) {
    const read = (rows: number) => store.topics.list({ after, limit: rows, scopes });
    const { items, next, hasMore } = await readPage(limit, read, ({ name }) => name);
    return { topics: items, next, hasMore };
  }

  async function updateTopic({ name, settings, expected, ...request }: CreateTopicRequest): Promise<Topic> {
    const actor = actorOf(request);
    const { topicId } = await requireTopic(store, name);
    const judge = (current: Topic) => requireExpected(expected, current);
    const updated = await store.topics.update(topicId, given(settings), { actor, judge });
    directory.forget(name);
    if (updated === null) throw new WillcallError('topic_not_found', { topic: name });
    return logActs(logger, actor, updated);
  }

  async function deleteTopic(name: string, caller: Principal, options: DeleteOptions<Topic> = {}): Promise<void> {
    const { keyId = null, expected } = options;
    const actor = actorOf({ caller, keyId });
    const { topicId } = await requireTopic(store, name);
    const judge = (current: Topic) => requireExpected(expected, current);
    const deletion = await store.topics.delete(topicId, { actor, judge });
    directory.forgetAll();
    if (!logActs(logger, actor, deletion)) throw new WillcallError('topic_not_found', { topic: name });
    // The receives that wait on its subscriptions find that they are gone.
    wakeups.wakeTopic(topicId);
  }

  return { createTopic, getTopic, listTopics, updateTopic, deleteTopic };
}

/** A text in the form of a public id cannot be a name, so that the two are never confused. */
export function refuseReservedName(noun: 'topic' | 'subscription', name: string): void {
  const prefixes = reservedPrefixes.filter((prefix) => name.startsWith(prefix));
  if (prefixes.length === 0) return;
  throw new WillcallError('invalid_request', { fields: [{ path: [noun], rule: 'not_prefixed', prefixes }] });
}

/** Throws `topic_not_found`. */
export async function requireTopic(store: Store, name: string): Promise<Topic> {
  const topic = await store.topics.find(name);
  if (topic === null) throw new WillcallError('topic_not_found', { topic: name });
  return topic;
}
