// The keyring: what this instance remembers of keys, so that a request usually costs one small hash and no statement.
// A key is looked at again before it is remembered for longer than a second, in the background while it is in use; a
// wakeup makes that sooner. Nothing remembered is the truth: a lost wakeup lets a revoked key in for a second at most.

import { hash, timingSafeEqual } from 'node:crypto';
import { type Access, adminAccess } from '../../domain/access.ts';
import { type Credentials, type KeyParts, readKey } from '../../domain/api-key.ts';
import { limits } from '../../domain/limits.ts';
import type { Logger } from '../../domain/logger.ts';
import type { Store } from '../../store/index.ts';
import type { KeyToCheck } from '../../store/keys.ts';
import { Batcher } from '../batching/batcher.ts';

/** Remembered keys are looked at again in the background from this age on. */
const LOOK_AGAIN_MS = limits.keyRememberedMs / 2;
const ENTRIES_MAX = 10_000;
/** Guessing must not fill the memory, nor push out what is known. */
const UNKNOWN_MAX = 1_000;
const LOOKED_UP_MAX = 500;
const PENDING_MAX = 10_000;

interface Entry {
  readonly access: Access;
  readonly secretSha256: Buffer;
  /** On the clock that never jumps: how long the database gave it when it looked. */
  readonly expiresAtMs: number;
  /** When the look that found it began, on the clock that never jumps. */
  readonly lookedAtMs: number;
  lastUsedAtMs: number;
}

/** What credentials say, read once for all calls that come with the same. */
interface Shown {
  readonly parts: KeyParts | null;
  /** Of the key's secret; of the whole where they are no key's. */
  readonly sha256: Buffer;
}

interface Look {
  readonly lookedAtMs: number;
  readonly found: Promise<Entry | null>;
}

export interface KeyringOptions {
  readonly store: Store;
  readonly logger: Logger;
  /** Opens everything and is in no table; null when there is none. */
  readonly adminKey: string | null;
}

export class Keyring {
  readonly #store: Store;
  readonly #logger: Logger;
  readonly #adminSha256: Buffer | null;
  readonly #entries = new Map<string, Entry>();
  /** Ids that are no living key's, with the moment of the look. */
  readonly #unknown = new Map<string, number>();
  readonly #looks = new Map<string, Look>();
  #tended: ReadonlySet<string> = new Set();
  /** As long as somebody holds the credentials: a door does for a connection. */
  readonly #shown = new WeakMap<Credentials, Shown>();
  readonly #batcher: Batcher<string, KeyToCheck | 'unknown'>;
  /** When keys were used, where that is still to be recorded. */
  #uses = new Map<string, Date>();

  constructor({ store, logger, adminKey }: KeyringOptions) {
    this.#store = store;
    this.#logger = logger;
    this.#adminSha256 = adminKey === null ? null : digest(adminKey);
    this.#batcher = new Batcher({
      flush: async (groups) => {
        const ids = groups.flatMap(({ entries }) => entries);
        const found = new Map((await store.keys.find(ids)).map((key) => [key.keyId, key]));
        return groups.map(({ entries }) => entries.map((id) => found.get(id) ?? 'unknown'));
      },
      weigh: () => ({ items: 1, bytes: 0 }),
      groupsMax: 1,
      itemsMax: LOOKED_UP_MAX,
      bytesMax: Number.POSITIVE_INFINITY,
      flushesMax: 1,
      pendingBytesMax: Number.POSITIVE_INFINITY,
      pendingEntriesMax: PENDING_MAX,
    });
  }

  /** As the engine's verb. */
  authenticate(credentials: Credentials): Access | null | Promise<Access | null> {
    const shown = this.#read(credentials);
    const { parts } = shown;
    if (parts === null) return this.#asAdmin(shown.sha256);
    const entry = this.#recall(parts.id);
    if (entry === undefined) return this.#lookUp(parts.id).then((found) => this.#judge(found, shown, credentials));
    return this.#judge(entry, shown, credentials);
  }

  /**
   * As `findEnded`, but looks at all of them now. To be called each second with what is in use for long: such keys are looked
   * at together here, and therefore not in the background, one by one, when somebody shows one.
   */
  async tend(keyIds: readonly string[]): Promise<string[]> {
    this.#tended = new Set(keyIds);
    return pickEnded(keyIds, await Promise.all(keyIds.map((id) => this.#lookUp(id))));
  }

  /** Those of the keys that have ended; looks at each that it has not looked at lately. */
  async findEnded(keyIds: readonly string[]): Promise<string[]> {
    return pickEnded(keyIds, await Promise.all(keyIds.map((id) => this.#recall(id) ?? this.#lookUp(id))));
  }

  /** The key has changed: the next use looks. */
  forget(keyId: string): void {
    this.#entries.delete(keyId);
    this.#unknown.delete(keyId);
    this.#looks.delete(keyId);
  }

  forgetAll(): void {
    this.#entries.clear();
    this.#unknown.clear();
    this.#looks.clear();
  }

  /** Resolves when no look is on its way. */
  drained(): Promise<void> {
    return this.#batcher.drained();
  }

  /** Writes down when keys were used. What cannot be written is kept for the next time. */
  async recordUses(): Promise<void> {
    const uses = [...this.#uses].map(([keyId, at]) => ({ keyId, at })).slice(0, LOOKED_UP_MAX);
    if (uses.length === 0) return;
    await this.#store.keys.recordUse(uses, limits.keyUseIntervalSeconds);
    for (const { keyId, at } of uses) if (this.#uses.get(keyId) === at) this.#uses.delete(keyId);
  }

  /** Null for an id that is known to be no living key's; undefined when a look is due. */
  #recall(keyId: string): Entry | null | undefined {
    const now = performance.now();
    const entry = this.#entries.get(keyId);
    if (entry === undefined) {
      const lookedAtMs = this.#unknown.get(keyId);
      return lookedAtMs !== undefined && now - lookedAtMs <= limits.keyRememberedMs ? null : undefined;
    }
    const ageMs = now - entry.lookedAtMs;
    if (ageMs > limits.keyRememberedMs) return undefined;
    if (ageMs > LOOK_AGAIN_MS && !this.#tended.has(keyId)) {
      // If this fails, the look that is waited for says so, half a second from now.
      this.#lookUp(keyId).catch((err: unknown) => this.#logger.debug({ err, keyId }, 'a key was not looked at again'));
    }
    return entry;
  }

  /** One look for all who ask at once. One that is slow is not waited for by those who come much later. */
  #lookUp(keyId: string): Promise<Entry | null> {
    const underWay = this.#looks.get(keyId);
    const lookedAtMs = performance.now();
    if (underWay !== undefined && lookedAtMs - underWay.lookedAtMs <= limits.keyRememberedMs) return underWay.found;
    const look = { lookedAtMs, found: this.#find(keyId, lookedAtMs) };
    this.#looks.set(keyId, look);
    // What was found is not kept if the key changed while the look was on its way.
    const over = (entry?: Entry | null): void => {
      if (this.#looks.get(keyId) !== look) return;
      this.#looks.delete(keyId);
      if (entry !== undefined) this.#remember(keyId, entry, lookedAtMs);
    };
    look.found.then(over, () => over());
    return look.found;
  }

  async #find(keyId: string, lookedAtMs: number): Promise<Entry | null> {
    const key = await this.#batcher.submit(0, keyId);
    return key === 'unknown' || key.revokedAt !== null ? null : this.#toEntry(key, lookedAtMs);
  }

  #toEntry(key: KeyToCheck, lookedAtMs: number): Entry {
    const recorded = key.lastUsedAt?.getTime() ?? 0;
    return {
      access: {
        principal: key.client,
        keyId: key.keyId,
        grants: key.roles,
        requestsPerSecond: key.requestsPerSecond,
      },
      secretSha256: key.secretSha256,
      expiresAtMs:
        key.expiresAt === null
          ? Number.POSITIVE_INFINITY
          : lookedAtMs + key.expiresAt.getTime() - key.checkedAt.getTime(),
      lookedAtMs,
      lastUsedAtMs: Math.max(recorded, this.#entries.get(key.keyId)?.lastUsedAtMs ?? 0),
    };
  }

  /** The entries that were looked at longest ago make room. */
  #remember(keyId: string, entry: Entry | null, lookedAtMs: number): void {
    this.#entries.delete(keyId);
    this.#unknown.delete(keyId);
    if (entry !== null) insert(this.#entries, keyId, entry, ENTRIES_MAX);
    else insert(this.#unknown, keyId, lookedAtMs, UNKNOWN_MAX);
  }

  #read(credentials: Credentials): Shown {
    const known = this.#shown.get(credentials);
    if (known !== undefined) return known;
    const parts = readKey(credentials);
    const shown = { parts, sha256: digest((parts ?? credentials).secret) };
    this.#shown.set(credentials, shown);
    return shown;
  }

  #judge(entry: Entry | null, { sha256 }: Shown, credentials: Credentials): Access | null {
    if (entry === null || !timingSafeEqual(sha256, entry.secretSha256)) {
      return this.#asAdmin(digest(credentials.secret));
    }
    const now = Date.now();
    if (entry.expiresAtMs <= performance.now()) return null;
    if (now - entry.lastUsedAtMs >= limits.keyUseIntervalSeconds * 1000) {
      entry.lastUsedAtMs = now;
      const { keyId } = entry.access;
      if (keyId !== null) insert(this.#uses, keyId, new Date(now), ENTRIES_MAX);
    }
    return entry.access;
  }

  /** Under any user name. Digests are compared, so that the time tells nothing, not even a length. */
  #asAdmin(sha256: Buffer): Access | null {
    if (this.#adminSha256 === null) return null;
    return timingSafeEqual(sha256, this.#adminSha256) ? adminAccess : null;
  }
}

/** The hash of a secret, as it is kept: see docs/decisions/0020-api-keys.md. */
export function digest(secret: string): Buffer {
  return hash('sha256', secret, 'buffer');
}

function pickEnded(keyIds: readonly string[], entries: readonly (Entry | null)[]): string[] {
  const now = performance.now();
  return keyIds.filter((_, i) => (entries[i]?.expiresAtMs ?? 0) <= now);
}

/** What was put in first makes room for what comes. */
function insert<Value>(map: Map<string, Value>, key: string, value: Value, max: number): void {
  if (map.size >= max) {
    const oldest = map.keys().next();
    if (!oldest.done) map.delete(oldest.value);
  }
  map.set(key, value);
}
