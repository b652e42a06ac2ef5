// Directory: resolves names of topics and subscriptions, cached for a minute. What is cached may be
// stale. That does no harm, because every hot verb reads again under its lock and says when the
// topic or subscription is gone: then the name is looked up afresh, once.

import { WillcallError } from '../../domain/errors.ts';
import type { Subscription } from '../../domain/subscription.ts';
import type { Topic } from '../../domain/topic.ts';
import type { Store } from '../../store/index.ts';
import { LookupCache } from './lookup-cache.ts';

/**
 * The one setting that is read from here is whether `max_in_flight` limits a subscription, to wake
 * waiters when there is room again; where another instance has just set it, the safety poll does
 * that.
 */
const FRESH_MS = 60_000;
const ENTRIES_MAX = 100_000;

type Cache<T> = LookupCache<string, T>;

export class Directory {
  readonly #topics: Cache<Topic>;
  readonly #subscriptions: Cache<Subscription>;

  constructor(store: Store) {
    this.#topics = createCache((names) => store.topics.findAll(names));
    this.#subscriptions = createCache((names) => store.subscriptions.findAll(names));
  }

  /** Throws `topic_not_found`. */
  async topic(name: string): Promise<Topic> {
    return this.#topics.get(name) ?? (await this.#topics.lookUp(name)) ?? refuseTopic(name);
  }

  /** Throws `subscription_not_found`. */
  async subscription(name: string): Promise<Subscription> {
    return this.#subscriptions.get(name) ?? (await this.#subscriptions.lookUp(name)) ?? refuseSubscription(name);
  }

  /**
   * Does `work` with the topic; if that says that the topic is gone, once more with what the name
   * means now. Throws `topic_not_found`.
   */
  withTopic<R>(name: string, work: (topic: Topic) => Promise<R | 'gone'>): Promise<R> {
    return workWith(this.#topics, name, { find: () => this.topic(name), work, refuse: refuseTopic });
  }

  /** As `withTopic`. Throws `subscription_not_found`. */
  withSubscription<R>(name: string, work: (subscription: Subscription) => Promise<R | 'gone'>): Promise<R> {
    const find = () => this.subscription(name);
    return workWith(this.#subscriptions, name, { find, work, refuse: refuseSubscription });
  }

  forget(name: string): void {
    this.#topics.forget(name);
    this.#subscriptions.forget(name);
  }

  forgetAll(): void {
    this.#topics.forgetAll();
    this.#subscriptions.forgetAll();
  }
}

function createCache<T extends { readonly name: string }>(
  findAll: (names: readonly string[]) => Promise<readonly T[]>,
): Cache<T> {
  return new LookupCache({
    find: async (names) => new Map((await findAll(names)).map((value) => [value.name, value])),
    freshMs: FRESH_MS,
    ageingMs: FRESH_MS / 2,
    entriesMax: ENTRIES_MAX,
    missingMax: 0,
  });
}

interface Task<T, R> {
  readonly find: () => Promise<T>;
  readonly work: (value: T) => Promise<R | 'gone'>;
  readonly refuse: (name: string) => never;
}

/** Not an async function: its frame would be kept for each parked receive. */
function workWith<T, R>(cache: Cache<T>, name: string, { find, work, refuse }: Task<T, R>): Promise<R> {
  const known = cache.get(name) ?? null;
  const first = known === null ? find().then(work) : work(known);
  return first.then(async (done) => {
    if (done !== 'gone') return done;
    cache.forget(name);
    const again = await work(await find());
    return again === 'gone' ? refuse(name) : again;
  });
}

function refuseTopic(name: string): never {
  throw new WillcallError('topic_not_found', { topic: name });
}

function refuseSubscription(name: string): never {
  throw new WillcallError('subscription_not_found', { subscription: name });
}
