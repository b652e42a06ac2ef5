// Names to numbers. What is remembered may be stale; that does no harm, because every hot verb looks again under its
// lock and says when the topic or subscription is gone: then the name is looked up afresh, once. Who looks up while a look-up is on
// its way joins the next one: thousands who come at once cost a few statements, and nobody is told what was true before he asked. A
// look-up takes along what is remembered and will be asked for again soon, so that a thousand names in use cost no more than a few
// statements a minute, however their calls are spread over it.

import { WillcallError } from '../../domain/errors.ts';
import type { Subscription } from '../../domain/subscription.ts';
import type { Topic } from '../../domain/topic.ts';
import type { Store } from '../../store/index.ts';
import { Batcher } from '../batching/batcher.ts';

const ENTRIES_MAX = 100_000;
/**
 * The one setting that is read from here is whether `max_in_flight` bounds a subscription, to wake who waits for room; where another
 * instance has just set it, the safety poll does that.
 */
const FRESH_MS = 60_000;
/** What is older than that goes along with another look-up, if it was asked for since its own. */
const AGEING_MS = FRESH_MS / 2;
const LOOKED_UP_MAX = 500;
/** Remembered names that are gone through to find such. */
const GONE_THROUGH_MAX = 2 * LOOKED_UP_MAX;
const PENDING_MAX = 100_000;

interface Entry<T> {
  readonly value: T;
  readonly until: number;
  /** Whether anybody asked for it since it was looked up. */
  wanted: boolean;
}

export class Directory {
  readonly #topics: Names<Topic>;
  readonly #subscriptions: Names<Subscription>;

  constructor(store: Store) {
    this.#topics = new Names((names) => store.topics.findAll(names));
    this.#subscriptions = new Names((names) => store.subscriptions.findAll(names));
  }

  /** Throws `topic_not_found`. */
  async topic(name: string): Promise<Topic> {
    const topic = await this.#topics.find(name);
    if (topic === null) throw noTopic(name);
    return topic;
  }

  /** Throws `subscription_not_found`. */
  async subscription(name: string): Promise<Subscription> {
    const subscription = await this.#subscriptions.find(name);
    if (subscription === null) throw noSubscription(name);
    return subscription;
  }

  /**
   * Does `work` with the topic; if that says that the topic is gone, once more with what the name means now.
   * Throws `topic_not_found`.
   */
  withTopic<T>(name: string, work: (topic: Topic) => Promise<T | 'gone'>): Promise<T> {
    return this.#topics.with(name, { find: () => this.topic(name), work, fault: noTopic });
  }

  /** As `withTopic`. Throws `subscription_not_found`. */
  withSubscription<T>(name: string, work: (subscription: Subscription) => Promise<T | 'gone'>): Promise<T> {
    return this.#subscriptions.with(name, { find: () => this.subscription(name), work, fault: noSubscription });
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

function noTopic(name: string): WillcallError {
  return new WillcallError('topic_not_found', { topic: name });
}

function noSubscription(name: string): WillcallError {
  return new WillcallError('subscription_not_found', { subscription: name });
}

interface Task<T, R> {
  readonly find: () => Promise<T>;
  readonly work: (value: T) => Promise<R | 'gone'>;
  readonly fault: (name: string) => WillcallError;
}

/** What is known of names of one kind, those that were looked up longest ago first. */
class Names<T extends { readonly name: string }> {
  readonly #entries = new Map<string, Entry<T>>();
  readonly #findAll: (names: readonly string[]) => Promise<T[]>;
  readonly #lookUps: Batcher<string, T | null>;

  constructor(findAll: (names: readonly string[]) => Promise<T[]>) {
    this.#findAll = findAll;
    this.#lookUps = new Batcher<string, T | null>({
      flush: async (groups) => {
        const found = await this.#lookUp(new Set(groups.flatMap(({ entries }) => entries)));
        return groups.map(({ entries }) => entries.map((name) => found.get(name) ?? null));
      },
      weigh: () => ({ items: 1, bytes: 0 }),
      ...{ groupsMax: 1, itemsMax: LOOKED_UP_MAX, bytesMax: Number.POSITIVE_INFINITY },
      flushesMax: 1,
      ...{ pendingBytesMax: Number.POSITIVE_INFINITY, pendingEntriesMax: PENDING_MAX },
    });
  }

  /** Not an async function: its frame would be kept for each receive that is parked. */
  with<R>(name: string, { find, work, fault }: Task<T, R>): Promise<R> {
    const known = this.#recall(name);
    const first = known === undefined ? find().then(work) : work(known);
    return first.then(async (done) => {
      if (done !== 'gone') return done;
      this.forget(name);
      const again = await work(await find());
      if (again === 'gone') throw fault(name);
      return again;
    });
  }

  /** Null when there is none of that name. */
  async find(name: string): Promise<T | null> {
    const known = this.#recall(name);
    if (known !== undefined) return known;
    const value = await this.#lookUps.submit(0, name);
    if (value !== null) this.#remember(value);
    return value;
  }

  forget(name: string): void {
    this.#entries.delete(name);
  }

  /** Undefined when it has to be looked up. */
  #recall(name: string): T | undefined {
    const known = this.#entries.get(name);
    if (known === undefined) return undefined;
    known.wanted = true;
    return known.until > performance.now() ? known.value : undefined;
  }

  forgetAll(): void {
    this.#entries.clear();
  }

  async #lookUp(asked: ReadonlySet<string>): Promise<Map<string, T>> {
    const along = this.#findAgeing(asked);
    const found = new Map((await this.#findAll([...asked, ...along.keys()])).map((value) => [value.name, value]));
    for (const [name, entry] of along) {
      // Who changed it meanwhile has had it forgotten: what was found may be older than the change.
      if (this.#entries.get(name) !== entry) continue;
      const value = found.get(name);
      if (value === undefined) this.#entries.delete(name);
      else this.#remember(value);
    }
    return found;
  }

  /** What to take along; forgets what is over and nobody wants. */
  #findAgeing(asked: ReadonlySet<string>): Map<string, Entry<T>> {
    const ageing = new Map<string, Entry<T>>();
    const now = performance.now();
    let goneThrough = 0;
    for (const [name, entry] of this.#entries) {
      goneThrough += 1;
      if (goneThrough > GONE_THROUGH_MAX || entry.until - now > AGEING_MS) break;
      if (asked.size + ageing.size >= LOOKED_UP_MAX) break;
      if (asked.has(name)) continue;
      if (entry.wanted) ageing.set(name, entry);
      else if (entry.until <= now) this.#entries.delete(name);
    }
    return ageing;
  }

  #remember(value: T): void {
    this.#entries.delete(value.name);
    if (this.#entries.size >= ENTRIES_MAX) this.#entries.clear();
    this.#entries.set(value.name, { value, until: performance.now() + FRESH_MS, wanted: false });
  }
}
