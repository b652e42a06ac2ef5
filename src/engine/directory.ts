// Names to numbers. What is remembered may be stale; that does no harm, because every hot verb looks again under its
// lock and says when the topic or subscription is gone: then the name is looked up afresh, once.

import { WillcallError } from '../domain/errors.ts';
import type { Subscription } from '../domain/subscription.ts';
import type { Topic } from '../domain/topic.ts';
import type { Store } from '../store/index.ts';

const ENTRIES_MAX = 100_000;
/** Settings are read from here only where a few seconds do not matter. */
const FRESH_MS = 5_000;

interface Entry<T> {
  readonly value: T;
  readonly until: number;
}

export class Directory {
  readonly #store: Store;
  readonly #topics = new Map<string, Entry<Topic>>();
  readonly #subscriptions = new Map<string, Entry<Subscription>>();

  constructor(store: Store) {
    this.#store = store;
  }

  /** Throws `topic_not_found`. */
  topic(name: string): Promise<Topic> {
    return lookUp(this.#topics, name, async () => {
      const topic = await this.#store.topics.find(name);
      if (topic === null) throw new WillcallError('topic_not_found', `There is no topic named ${name}.`);
      return topic;
    });
  }

  /** Throws `subscription_not_found`. */
  subscription(name: string): Promise<Subscription> {
    return lookUp(this.#subscriptions, name, async () => {
      const subscription = await this.#store.subscriptions.find(name);
      if (subscription === null) {
        throw new WillcallError('subscription_not_found', `There is no subscription named ${name}.`);
      }
      return subscription;
    });
  }

  /**
   * Does `work` with the topic; if that says (by null) that the topic is gone, once more with what the name means now.
   * Throws `topic_not_found`.
   */
  async withTopic<T>(name: string, work: (topic: Topic) => Promise<T | null>): Promise<T> {
    const first = await work(await this.topic(name));
    if (first !== null) return first;
    this.#topics.delete(name);
    const second = await work(await this.topic(name));
    if (second !== null) return second;
    throw new WillcallError('topic_not_found', `There is no topic named ${name}.`);
  }

  /** As `withTopic`. Throws `subscription_not_found`. */
  async withSubscription<T>(name: string, work: (subscription: Subscription) => Promise<T | null>): Promise<T> {
    const first = await work(await this.subscription(name));
    if (first !== null) return first;
    this.#subscriptions.delete(name);
    const second = await work(await this.subscription(name));
    if (second !== null) return second;
    throw new WillcallError('subscription_not_found', `There is no subscription named ${name}.`);
  }

  forget(name: string): void {
    this.#topics.delete(name);
    this.#subscriptions.delete(name);
  }

  forgetAll(): void {
    this.#topics.clear();
    this.#subscriptions.clear();
  }
}

async function lookUp<T>(entries: Map<string, Entry<T>>, name: string, find: () => Promise<T>): Promise<T> {
  const known = entries.get(name);
  if (known !== undefined && known.until > performance.now()) return known.value;
  const value = await find();
  if (entries.size >= ENTRIES_MAX) entries.clear();
  entries.set(name, { value, until: performance.now() + FRESH_MS });
  return value;
}
