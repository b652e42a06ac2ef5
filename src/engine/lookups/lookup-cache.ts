// Lookup cache: remembers values by key for a time, and joins the lookups of others. A value counts
// from the beginning of its lookup. A lookup takes along keys that are ageing and were asked for
// again since their own, so that a thousand keys in use cost a few statements, however their calls
// are spread (docs/decisions/0017). A key that is forgotten while its lookup is on its way is not
// remembered by it.

import { JoinedLookups, KEYS_MAX } from './joined-lookups.ts';

/** Remembered keys that are gone through to find ageing ones. */
const GONE_THROUGH_MAX = 2 * KEYS_MAX;

export interface LookupCacheOptions<Key, Value> {
  /** Finds values by key; leaves out keys without one. */
  readonly find: (keys: readonly Key[]) => Promise<ReadonlyMap<Key, Value>>;
  readonly freshMs: number;
  /** From this age on a value is ageing: good, and looked up again if it is in use. */
  readonly ageingMs: number;
  /** The values that were looked up longest ago make room. */
  readonly entriesMax: number;
  /** Keys without a value that are remembered, apart from the others. */
  readonly missingMax: number;
  /**
   * Called once when an ageing value is asked for; absent, it waits for the next lookup of another
   * key.
   */
  readonly onAgeing?: (key: Key) => void;
}

interface Entry<Value> {
  readonly value: Value;
  readonly lookedUpAtMs: number;
  /** Whether it was asked for since its lookup, and `onAgeing` was called. */
  wanted: boolean;
  ageing: boolean;
}

export class LookupCache<Key, Value> {
  readonly #options: LookupCacheOptions<Key, Value>;
  /** Those that were looked up longest ago first. */
  readonly #entries = new Map<Key, Entry<Value>>();
  /** When keys without a value were looked up. */
  readonly #missing = new Map<Key, number>();
  readonly #lookups: JoinedLookups<Key, Value>;
  /** What was forgotten since the present lookup began; null while there is none. */
  #forgotten: { all: boolean; readonly keys: Set<Key> } | null = null;

  constructor(options: LookupCacheOptions<Key, Value>) {
    this.#options = options;
    this.#lookups = new JoinedLookups((keys) => this.#find(keys));
  }

  /** What is remembered; null: that there is no value; undefined: nothing. */
  get(key: Key): Value | null | undefined {
    const { freshMs, ageingMs, onAgeing } = this.#options;
    const now = performance.now();
    const entry = this.#entries.get(key);
    if (entry === undefined) {
      return now - (this.#missing.get(key) ?? Number.NEGATIVE_INFINITY) <= freshMs ? null : undefined;
    }
    entry.wanted = true;
    const ageMs = now - entry.lookedUpAtMs;
    if (ageMs > freshMs) return undefined;
    if (ageMs > ageingMs && !entry.ageing) {
      entry.ageing = true;
      onAgeing?.(key);
    }
    return entry.value;
  }

  /**
   * Looks the key up, whatever is remembered; null when it has no value. Throws `database_*`,
   * `overloaded`.
   */
  lookUp(key: Key): Promise<Value | null> {
    return this.#lookups.lookUp(key);
  }

  forget(key: Key): void {
    this.#entries.delete(key);
    this.#missing.delete(key);
    this.#forgotten?.keys.add(key);
  }

  forgetAll(): void {
    this.#entries.clear();
    this.#missing.clear();
    if (this.#forgotten !== null) this.#forgotten.all = true;
  }

  /** Resolves when no lookup is on its way. */
  drained(): Promise<void> {
    return this.#lookups.drained();
  }

  async #find(asked: readonly Key[]): Promise<ReadonlyMap<Key, Value>> {
    const forgotten = { all: false, keys: new Set<Key>() };
    const lookedUpAtMs = performance.now();
    const keys = [...asked, ...this.#findAgeing(new Set(asked), lookedUpAtMs)];
    this.#forgotten = forgotten;
    try {
      const found = await this.#options.find(keys);
      for (const key of keys) {
        if (!forgotten.all && !forgotten.keys.has(key)) this.#remember(key, found.get(key), lookedUpAtMs);
      }
      return found;
    } finally {
      this.#forgotten = null;
    }
  }

  /** Keys to take along; forgets what is too old and was not asked for again. */
  #findAgeing(asked: ReadonlySet<Key>, now: number): Key[] {
    const { freshMs, ageingMs } = this.#options;
    const ageing: Key[] = [];
    let goneThrough = 0;
    for (const [key, { lookedUpAtMs, wanted }] of this.#entries) {
      goneThrough += 1;
      if (goneThrough > GONE_THROUGH_MAX || now - lookedUpAtMs < ageingMs) break;
      if (asked.size + ageing.length >= KEYS_MAX) break;
      if (asked.has(key)) continue;
      if (wanted) ageing.push(key);
      else if (now - lookedUpAtMs > freshMs) this.#entries.delete(key);
    }
    return ageing;
  }

  #remember(key: Key, value: Value | undefined, lookedUpAtMs: number): void {
    const { entriesMax, missingMax } = this.#options;
    this.#entries.delete(key);
    this.#missing.delete(key);
    if (value !== undefined) {
      makeRoom(this.#entries, entriesMax);
      this.#entries.set(key, { value, lookedUpAtMs, wanted: false, ageing: false });
    } else if (missingMax > 0) {
      makeRoom(this.#missing, missingMax);
      this.#missing.set(key, lookedUpAtMs);
    }
  }
}

/** The oldest goes. */
function makeRoom<Key>(map: Map<Key, unknown>, max: number): void {
  if (map.size < max) return;
  const oldest = map.keys().next();
  if (!oldest.done) map.delete(oldest.value);
}
