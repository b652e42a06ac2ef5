// Names to numbers. What is remembered may be stale; that does no harm, because every hot verb looks again under its
// lock and says when the topic or subscription is gone: then the name is looked up afresh, once. Who looks up while a look-up is on
// its way joins the next one: thousands who come at once cost a few statements, and nobody is told what was true before he asked.

import { WillcallError } from '../domain/errors.ts';
import type { Subscription } from '../domain/subscription.ts';
import type { Topic } from '../domain/topic.ts';
import type { Store } from '../store/index.ts';
import { Batcher } from './batcher.ts';

const ENTRIES_MAX = 100_000;
/**
 * The one setting that is read from here is whether `max_in_flight` bounds a subscription, to wake who waits for room; where another
 * instance has just set it, the safety poll does that.
 */
const FRESH_MS = 60_000;
const LOOKED_UP_MAX = 500;
const PENDING_MAX = 100_000;

interface Entry<T> {
  readonly value: T;
  readonly until: number;
}

export class Directory {
  readonly #topics = new Map<string, Entry<Topic>>();
  readonly #subscriptions = new Map<string, Entry<Subscription>>();
  readonly #topicLookUps: Batcher<string, Topic | null>;
  readonly #subscriptionLookUps: Batcher<string, Subscription | null>;

  constructor(store: Store) {
    this.#topicLookUps = createLookUps((names) => store.topics.findAll(names));
    this.#subscriptionLookUps = createLookUps((names) => store.subscriptions.findAll(names));
  }

  /** Throws `topic_not_found`. */
  topic(name: string): Promise<Topic> {
    return lookUp(this.#topics, name, async () => {
      const topic = await this.#topicLookUps.submit(0, name);
      if (topic === null) throw new WillcallError('topic_not_found', `There is no topic named ${name}.`);
      return topic;
    });
  }

  /** Throws `subscription_not_found`. */
  subscription(name: string): Promise<Subscription> {
    return lookUp(this.#subscriptions, name, async () => {
      const subscription = await this.#subscriptionLookUps.submit(0, name);
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

function createLookUps<T extends { readonly name: string }>(findAll: (names: readonly string[]) => Promise<T[]>) {
  return new Batcher<string, T | null>({
    flush: async (groups) => {
      const asked = new Set(groups.flatMap(({ entries }) => entries));
      const found = new Map((await findAll([...asked])).map((value) => [value.name, value]));
      return groups.map(({ entries }) => entries.map((name) => found.get(name) ?? null));
    },
    weigh: () => ({ items: 1, bytes: 0 }),
    ...{ groupsMax: 1, itemsMax: LOOKED_UP_MAX, bytesMax: Number.POSITIVE_INFINITY },
    flushesMax: 1,
    ...{ pendingBytesMax: Number.POSITIVE_INFINITY, pendingEntriesMax: PENDING_MAX },
  });
}

async function lookUp<T>(entries: Map<string, Entry<T>>, name: string, find: () => Promise<T>): Promise<T> {
  const known = entries.get(name);
  if (known !== undefined && known.until > performance.now()) return known.value;
  const value = await find();
  if (entries.size >= ENTRIES_MAX) entries.clear();
  entries.set(name, { value, until: performance.now() + FRESH_MS });
  return value;
}
