// Dispatchers of this instance, one per subscription that was used lately, and what they share: the
// receive statement for many subscriptions at once, and the safety poll, which finds what a lost
// wakeup would have announced.

import type { Observer } from '../../domain/observer.ts';
import type { ReceiveOutcome } from '../../store/deliveries.ts';
import type { Store } from '../../store/index.ts';
import { Batcher, type Group } from '../batching/batcher.ts';
import type { Slots } from '../batching/slots.ts';
import type { ByteBudget } from '../fair-use/byte-budget.ts';
import { observeFlush } from '../observing.ts';
import { Dispatcher, type ReceiveQuery } from './dispatcher.ts';
import type { SubscriptionIds } from './waiter.ts';

/** Bodies that one query may bring, so that no lock is held while tens of megabytes travel. */
const QUERY_BYTES_MAX = 4 * 1024 * 1024;
/** What the queries of one statement may be expected to bring together. */
const FLUSH_BYTES_MAX = 64 * 1024 * 1024;
const GROUPS_MAX = 200;
const IDLE_MS_MAX = 120_000;
const POLL_KEYS_MAX = 1_000;
/** What has been due for longer than that is polled for in every POLLS_FULL-th poll only. */
const POLL_FLOOR_MS = 60_000;
const POLLS_FULL = 12;

export interface DispatchersOptions {
  readonly store: Store;
  readonly byteBudget: ByteBudget;
  readonly turns: Slots;
  readonly lockWaits: Slots;
  readonly observer: Observer;
}

type ReceiveEntry = ReceiveQuery & SubscriptionIds;

export class Dispatchers {
  readonly #options: DispatchersOptions;
  readonly #all = new Map<number, { ids: SubscriptionIds; dispatcher: Dispatcher }>();
  readonly #byTopic = new Map<number, Set<Dispatcher>>();
  readonly #batcher: Batcher<ReceiveEntry, ReceiveOutcome>;
  #polls = 0;
  #stopped = false;

  constructor(options: DispatchersOptions) {
    this.#options = options;
    const flush = async (groups: readonly Group<ReceiveEntry>[], wait: boolean) => {
      // A dispatcher has one query on its way, so a group has one entry.
      const queries = groups.flatMap(({ entries }) => entries);
      const outcomes = await options.store.deliveries.receive(queries, wait, QUERY_BYTES_MAX);
      options.byteBudget.countForTurn(countBytes(outcomes));
      return outcomes.map((outcome) => (outcome.outcome === 'busy' ? ('busy' as const) : [outcome]));
    };
    this.#batcher = new Batcher<ReceiveEntry, ReceiveOutcome>({
      flush: observeFlush('receive', options.observer, flush),
      weigh: ({ waiters, expectedBytes }) => ({ items: waiters.length, bytes: expectedBytes }),
      groupsMax: GROUPS_MAX,
      itemsMax: 2_000,
      bytesMax: FLUSH_BYTES_MAX,
      turns: options.turns,
      lockWaits: options.lockWaits,
      pendingEntriesMax: 100_000,
    });
  }

  /** The subscription's dispatcher, made when there is none yet. */
  of(ids: SubscriptionIds): Dispatcher {
    const known = this.#all.get(ids.subscriptionId);
    if (known !== undefined) return known.dispatcher;
    const dispatcher = new Dispatcher({
      ids: { topicId: ids.topicId, subscriptionId: ids.subscriptionId },
      byteBudget: this.#options.byteBudget,
      health: this.#options.store.health,
      newNonce: this.#options.store.random64,
      isListening: () => this.#options.store.wakeups.isListening(),
      bytesMax: QUERY_BYTES_MAX,
      receive: (query) => this.#batcher.submit(ids.subscriptionId, { ...ids, ...query }),
    });
    if (this.#stopped) dispatcher.stop();
    this.#all.set(ids.subscriptionId, { ids, dispatcher });
    const siblings = this.#byTopic.get(ids.topicId);
    if (siblings === undefined) this.#byTopic.set(ids.topicId, new Set([dispatcher]));
    else siblings.add(dispatcher);
    return dispatcher;
  }

  /** How many waiters are parked here. */
  get waiting(): number {
    let waiting = 0;
    for (const { dispatcher } of this.#all.values()) waiting += dispatcher.waiting;
    return waiting;
  }

  hasWaiters(subscriptionId: number): boolean {
    return (this.#all.get(subscriptionId)?.dispatcher.waiting ?? 0) > 0;
  }

  wakeTopic(topicId: number): void {
    for (const dispatcher of this.#byTopic.get(topicId) ?? []) dispatcher.wake();
  }

  wakeSubscription(subscriptionId: number): void {
    this.#all.get(subscriptionId)?.dispatcher.wake();
  }

  wakeSubscriptionIn(subscriptionId: number, delayMs: number): void {
    this.#all.get(subscriptionId)?.dispatcher.wakeIn(delayMs);
  }

  wakeEverybody(): void {
    for (const { dispatcher } of this.#all.values()) dispatcher.wake();
  }

  /** The database's clock was set back: nothing that was learnt of times holds any more. */
  forgetFloors(): void {
    for (const { dispatcher } of this.#all.values()) dispatcher.forgetFloors();
  }

  /** Answers every waiter, and waits for receives that are on their way. */
  async stop(): Promise<void> {
    this.#stopped = true;
    for (const { dispatcher } of this.#all.values()) dispatcher.stop();
    await this.#batcher.drained();
  }

  /**
   * Asks the database about every subscription with waiters, and wakes those with something
   * receivable.
   */
  async poll(): Promise<{ woken: number }> {
    this.#polls += 1;
    let woken = 0;
    this.#forgetIdle();
    const waiting = [...this.#all.values()].filter(({ dispatcher }) => dispatcher.waiting > 0).map(({ ids }) => ids);
    const floorMs = this.#polls % POLLS_FULL === 0 ? null : POLL_FLOOR_MS;
    for (let i = 0; i < waiting.length; i += POLL_KEYS_MAX) {
      const receivable = await this.#options.store.deliveries.receivable(waiting.slice(i, i + POLL_KEYS_MAX), floorMs);
      for (const { subscriptionId } of receivable) this.wakeSubscription(subscriptionId);
      woken += receivable.length;
    }
    return { woken };
  }

  #forgetIdle(): void {
    const before = performance.now() - IDLE_MS_MAX;
    for (const [id, { ids, dispatcher }] of this.#all) {
      if (dispatcher.waiting > 0 || dispatcher.usedAt > before) continue;
      this.#all.delete(id);
      const siblings = this.#byTopic.get(ids.topicId);
      siblings?.delete(dispatcher);
      if (siblings?.size === 0) this.#byTopic.delete(ids.topicId);
    }
  }
}

function countBytes(outcomes: readonly ReceiveOutcome[]): number {
  let bytes = 0;
  for (const { handed } of outcomes)
    for (const messages of handed) for (const { body } of messages) bytes += body.length;
  return bytes;
}
