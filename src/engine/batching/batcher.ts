// Micro-batching. Callers that arrive while a flush is on its way join the next one; an idle
// batcher flushes in the next turn of the event loop, so a lone caller does not wait.
// A caller is answered only after its flush committed. Strangers do not couple: entries have a key
// (a topic, a subscription), a key is in one flush at a time, and a key whose lock is busy leaves
// the shared flush and goes alone, waiting for that lock, while the others go on. A key with very
// many items pending goes alone, too: others share neither its time nor its time-out.

import { WillcallError } from '../../domain/errors.ts';
import type { Slots } from './slots.ts';

/** The entries of one key in one flush, in the order of their arrival. */
export interface Group<Entry> {
  readonly key: number;
  readonly entries: readonly Entry[];
}

/** What is emptied before the engine stops. */
export interface Drainable {
  /** Resolves when nothing is pending or on its way. */
  drained(): Promise<void>;
}

export interface BatcherOptions<Entry, Result> {
  /**
   * Does the work of all groups in one transaction; one list of results per group, in the order of
   * its entries, or 'busy' (nothing of that group was done). With `wait` it waits for a busy lock
   * instead.
   */
  readonly flush: (groups: readonly Group<Entry>[], wait: boolean) => Promise<readonly (readonly Result[] | 'busy')[]>;
  /** What an entry weighs, for the bounds of a flush: messages, and bytes. */
  readonly weigh: (entry: Entry) => { readonly items: number; readonly bytes: number };
  readonly groupsMax: number;
  readonly itemsMax: number;
  /** Absent: no limit. */
  readonly bytesMax?: number;
  /** What may be pending in all, before callers get `overloaded`. */
  readonly pendingEntriesMax: number;
  /** Absent: no limit. */
  readonly pendingBytesMax?: number;
  /** Slots of shared flushes; other batchers may share them. */
  readonly turns: Slots;
  /** Slots of flushes that wait for a lock. */
  readonly lockWaits: Slots;
  /** Absent: every key may share a flush. */
  readonly large?: LargeKeys;
}

/** What becomes of keys with many items pending. */
export interface LargeKeys {
  /** A key with more of them pending leaves the shared flushes. */
  readonly sharedItemsMax: number;
  /** Items of one flush of such a key; a single entry may have more. */
  readonly itemsMax: number;
  /** Slots of their flushes, which take no turn. */
  readonly slots: Slots;
}

interface Pending<Entry, Result> {
  readonly entry: Entry;
  readonly bytes: number;
  readonly items: number;
  readonly resolve: (result: Result) => void;
  readonly reject: (error: unknown) => void;
}

type Batch<Entry, Result> = { key: number; pending: Pending<Entry, Result>[] };

/** Groups entries by key into flushes. The order of one key's entries is kept. */
export class Batcher<Entry, Result> {
  readonly #options: BatcherOptions<Entry, Result>;
  readonly #queues = new Map<number, Pending<Entry, Result>[]>();
  /** Keys in a flush that is on its way, or going alone. */
  readonly #active = new Set<number>();
  /** One shared flush at a time: `queued` waits for a slot, `flushing` has one. */
  #shared: 'idle' | 'queued' | 'flushing' = 'idle';
  #pendingBytes = 0;
  #pendingEntries = 0;
  #idle: (() => void)[] = [];

  constructor(options: BatcherOptions<Entry, Result>) {
    this.#options = options;
  }

  /** Resolves after the entry's flush committed; throws what the flush threw, or `overloaded`. */
  submit(key: number, entry: Entry): Promise<Result> {
    const { items, bytes } = this.#options.weigh(entry);
    const { pendingEntriesMax, pendingBytesMax = Number.POSITIVE_INFINITY } = this.#options;
    if (
      this.#pendingEntries >= pendingEntriesMax ||
      (this.#pendingBytes > 0 && this.#pendingBytes + bytes > pendingBytesMax)
    ) {
      return Promise.reject(
        new WillcallError('overloaded', 'Too much work is waiting already; try again in a moment.'),
      );
    }
    return new Promise<Result>((resolve, reject) => {
      const queue = this.#queues.get(key);
      const pending = { entry, items, bytes, resolve, reject };
      this.#pendingBytes += bytes;
      this.#pendingEntries += 1;
      if (queue === undefined) this.#queues.set(key, [pending]);
      else queue.push(pending);
      this.#pump();
    });
  }

  /** Resolves when nothing waits and nothing is on its way. */
  async drained(): Promise<void> {
    if (this.#pendingEntries === 0) return;
    await new Promise<void>((resolve) => this.#idle.push(resolve));
  }

  #pump(): void {
    if (this.#shared !== 'idle' || this.#queues.size === 0) return;
    this.#shared = 'queued';
    // Those who arrive in the same turn of the event loop leave together.
    setImmediate(() => this.#options.turns.take(() => this.#begin()));
  }

  /** Whether there was something to flush: every key may be in a flush of its own. */
  #begin(): boolean {
    const batches = this.#takeBatches();
    this.#shared = batches.length === 0 ? 'idle' : 'flushing';
    if (batches.length > 0) void this.#runShared(batches);
    return batches.length > 0;
  }

  /** What fits into one flush, of keys that are in none, oldest keys first. */
  #takeBatches(): Batch<Entry, Result>[] {
    const { groupsMax, itemsMax, bytesMax = Number.POSITIVE_INFINITY } = this.#options;
    const batches: Batch<Entry, Result>[] = [];
    const room = { items: itemsMax, bytes: bytesMax };
    for (const key of this.#queues.keys()) {
      if (this.#active.has(key) || this.#startLarge(key)) continue;
      if (batches.length === groupsMax || room.items <= 0 || room.bytes <= 0) break;
      const pending = this.#takeOf(key, room, batches.length === 0);
      if (pending.length === 0) break;
      batches.push({ key, pending });
      this.#active.add(key);
    }
    // Locks are taken in order of id.
    return batches.sort((a, b) => a.key - b.key);
  }

  #takeOf(key: number, room: { items: number; bytes: number }, first: boolean): Pending<Entry, Result>[] {
    const queue = this.#queues.get(key) ?? [];
    let count = 0;
    for (const { items, bytes } of queue) {
      const fits = items <= room.items && bytes <= room.bytes;
      if (!fits && !(first && count === 0)) break;
      room.items -= items;
      room.bytes -= bytes;
      count += 1;
    }
    if (count === queue.length) {
      this.#queues.delete(key);
      return queue;
    }
    return queue.splice(0, count);
  }

  /** Whether the key has too many items for a shared flush; then one of its own begins. */
  #startLarge(key: number): boolean {
    const { large } = this.#options;
    if (large === undefined) return false;
    let items = 0;
    for (const pending of this.#queues.get(key) ?? []) {
      items += pending.items;
      if (items > large.sharedItemsMax) break;
    }
    if (items <= large.sharedItemsMax) return false;
    this.#active.add(key);
    void this.#runLarge(key, large);
    return true;
  }

  async #runLarge(key: number, { slots, itemsMax }: LargeKeys): Promise<void> {
    const { bytesMax = Number.POSITIVE_INFINITY } = this.#options;
    // What arrives until there is a slot goes along.
    const [busy] = await slots.run(() => {
      const pending = this.#takeOf(key, { items: itemsMax, bytes: bytesMax }, true);
      return this.#flush([{ key, pending }], false);
    });
    if (busy !== undefined) {
      await this.#runAlone(busy);
      return;
    }
    this.#active.delete(key);
    this.#pump();
  }

  /**
   * Never waits for a lock, be it for one key only: those that wait must not keep others from the
   * shared flushes.
   */
  async #runShared(batches: Batch<Entry, Result>[]): Promise<void> {
    const busy = await this.#flush(batches, false);
    this.#shared = 'idle';
    this.#options.turns.release();
    const alone = new Set(busy.map((batch) => batch.key));
    for (const { key } of batches) if (!alone.has(key)) this.#active.delete(key);
    for (const batch of busy) void this.#runAlone(batch);
    this.#pump();
  }

  /** The key stays active, so what arrives for it meanwhile waits for the next shared flush. */
  async #runAlone(batch: Batch<Entry, Result>): Promise<void> {
    await this.#options.lockWaits.run(() => this.#flush([batch], true));
    this.#active.delete(batch.key);
    this.#pump();
  }

  /** Settles every entry but those of busy groups, which it returns. */
  async #flush(batches: Batch<Entry, Result>[], wait: boolean): Promise<Batch<Entry, Result>[]> {
    const groups = batches.map(({ key, pending }) => ({ key, entries: pending.map(({ entry }) => entry) }));
    try {
      const results = await this.#options.flush(groups, wait);
      return batches.filter((batch, i) => {
        const ofGroup = results[i];
        if (ofGroup === 'busy') return true;
        for (const [j, pending] of batch.pending.entries()) this.#settle(pending, ofGroup?.[j]);
        return false;
      });
    } catch (error) {
      await this.#bisect(batches, error, wait);
      return [];
    }
  }

  /**
   * An unexpected error may be one entry's fault: halve until it is alone with it. Known faults are
   * everybody's. The halves wait for locks, in the turn that the whole has if it has one.
   */
  async #bisect(batches: Batch<Entry, Result>[], error: unknown, hasTurn: boolean): Promise<void> {
    const all = batches.flatMap(({ key, pending }) => pending.map((one) => ({ key, one })));
    if (all.length === 1 || !(error instanceof WillcallError) || error.code !== 'internal') {
      for (const { one } of all) this.#settle(one, undefined, error);
      return;
    }
    const half = Math.ceil(all.length / 2);
    for (const part of [all.slice(0, half), all.slice(half)]) {
      const byKey = new Map<number, Pending<Entry, Result>[]>();
      for (const { key, one } of part) byKey.set(key, [...(byKey.get(key) ?? []), one]);
      for (const [key, pending] of byKey) {
        const flush = () => this.#flush([{ key, pending }], true);
        await (hasTurn ? flush() : this.#options.lockWaits.run(flush));
      }
    }
  }

  #settle(pending: Pending<Entry, Result>, result: Result | undefined, error?: unknown): void {
    this.#pendingBytes -= pending.bytes;
    this.#pendingEntries -= 1;
    if (error !== undefined) pending.reject(error);
    else if (result === undefined) pending.reject(new WillcallError('internal', 'A flush left an entry unanswered.'));
    else pending.resolve(result);
    if (this.#pendingEntries > 0) return;
    for (const resolve of this.#idle.splice(0)) resolve();
  }
}
