// Joined lookups: one statement at a time, for all keys that were asked for since the last one
// began. Thousands of callers at once cost a few statements, and no caller gets what was true
// before the call.

import { WillcallError } from '../../domain/errors.ts';

/** Keys of one statement. */
export const KEYS_MAX = 500;
const WAITING_MAX = 10_000;

export class JoinedLookups<Key, Value> {
  readonly #find: (keys: readonly Key[]) => Promise<ReadonlyMap<Key, Value>>;
  readonly #waiting = new Map<Key, PromiseWithResolvers<Value | null>>();
  #running: Promise<void> | null = null;

  /** `find` leaves out keys without a value. */
  constructor(find: (keys: readonly Key[]) => Promise<ReadonlyMap<Key, Value>>) {
    this.#find = find;
  }

  /** Null when the key has no value. Throws what `find` throws, or `overloaded`. */
  lookUp(key: Key): Promise<Value | null> {
    const joined = this.#waiting.get(key);
    if (joined !== undefined) return joined.promise;
    if (this.#waiting.size >= WAITING_MAX)
      return Promise.reject(
        new WillcallError('overloaded', 'Too many lookups are waiting already; try again in a moment.'),
      );
    const lookup = Promise.withResolvers<Value | null>();
    this.#waiting.set(key, lookup);
    this.#running ??= this.#run();
    return lookup.promise;
  }

  /** Resolves when no lookup is on its way. */
  async drained(): Promise<void> {
    await this.#running;
  }

  async #run(): Promise<void> {
    // Those who ask in the same turn join the first statement.
    await null;
    while (this.#waiting.size > 0) {
      const lookups = this.#take();
      try {
        const found = await this.#find([...lookups.keys()]);
        for (const [key, { resolve }] of lookups) resolve(found.get(key) ?? null);
      } catch (error) {
        for (const { reject } of lookups.values()) reject(error);
      }
    }
    this.#running = null;
  }

  #take(): Map<Key, PromiseWithResolvers<Value | null>> {
    const taken = new Map<Key, PromiseWithResolvers<Value | null>>();
    for (const [key, lookup] of this.#waiting) {
      if (taken.size === KEYS_MAX) break;
      taken.set(key, lookup);
      this.#waiting.delete(key);
    }
    return taken;
  }
}
