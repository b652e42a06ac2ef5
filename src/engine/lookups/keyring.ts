// Keyring: verifies presented credentials against API keys that are cached, so that a request
// usually costs one small hash and no statement. A key is remembered for a second at most; while it
// is in use it is looked up again in the background. A notification makes that sooner. A lost one
// lets a revoked key in for a second at most.

import { hash, timingSafeEqual } from 'node:crypto';
import { type Access, adminAccess } from '../../domain/access.ts';
import { type ApiKey, type Credentials, isKeyId, type KeyParts, readKey } from '../../domain/api-key.ts';
import { limits } from '../../domain/limits.ts';
import type { Logger } from '../../domain/logger.ts';
import type { PublicKey } from '../../domain/public-key.ts';
import type { Store } from '../../store/index.ts';
import type { KeyToCheck } from '../../store/keys.ts';
import { LookupCache } from './lookup-cache.ts';

const KEYS_MAX = 10_000;
/** Guessing must not fill the memory, nor push out what is known. */
const UNKNOWN_MAX = 1_000;
const USES_MAX = 10_000;
const USES_RECORDED_MAX = 500;

/** A key that is neither unknown nor revoked. */
interface LivingKey extends Pick<ApiKey, 'secretVersion' | 'publicKeys'> {
  readonly access: Access;
  readonly secretSha256: Buffer;
  /** On the monotonic clock; by the database's clock, as it was at the lookup. */
  readonly expiresAtMs: number;
  readonly recordedUseAtMs: number;
}

/** Credentials as they were presented, read once for all calls that present the same. */
interface PresentedCredentials {
  readonly parts: KeyParts | null;
  /** Of the key's secret; of the whole where the text has not the form of a key. */
  readonly sha256: Buffer;
}

/** A key that a caller names and has yet to prove, by a signature that its transport verifies. */
export interface KeyIdentity {
  /** For `deriveSecret`, with the key's id; null when nothing is derived for it. */
  readonly secretVersion: number | null;
  readonly publicKeys: readonly PublicKey[];
  /**
   * To be called when the proof is good, and only then: counts the use, and opens what the key
   * opens.
   */
  accept(): Access;
}

export interface KeyringOptions {
  readonly store: Store;
  readonly logger: Logger;
  /** Opens everything and is in no table; null when there is none. */
  readonly adminKey: string | null;
}

export class Keyring {
  readonly #store: Store;
  readonly #adminSha256: Buffer | null;
  readonly #keys: LookupCache<string, LivingKey>;
  /** Keys that `tend` looks up, and that are therefore not looked up in the background. */
  #tended: ReadonlySet<string> = new Set();
  /** As long as the credentials are kept: a transport keeps them from one request to the next. */
  readonly #presented = new WeakMap<Credentials, PresentedCredentials>();
  /** When keys were used last, where that is not recorded yet. */
  readonly #uses = new Map<string, Date>();

  constructor({ store, logger, adminKey }: KeyringOptions) {
    this.#store = store;
    this.#adminSha256 = adminKey === null ? null : digest(adminKey);
    this.#keys = new LookupCache<string, LivingKey>({
      find: (keyIds) => this.#find(keyIds),
      freshMs: limits.keyRememberedMs,
      ageingMs: limits.keyRememberedMs / 2,
      entriesMax: KEYS_MAX,
      missingMax: UNKNOWN_MAX,
      onAgeing: (keyId) => {
        if (this.#tended.has(keyId)) return;
        // If this fails, the lookup of a caller says so, half a second from now.
        this.#keys.lookUp(keyId).catch((err: unknown) => logger.debug({ err, keyId }, 'a key was not looked up again'));
      },
    });
  }

  /** As the engine's verb. */
  authenticate(credentials: Credentials): Access | null | Promise<Access | null> {
    const presented = this.#read(credentials);
    const { parts } = presented;
    if (parts === null) return this.#verifyAdmin(presented.sha256);
    const key = this.#keys.get(parts.id);
    if (key !== undefined) return this.#verify(key, presented, credentials);
    return this.#keys.lookUp(parts.id).then((found) => this.#verify(found, presented, credentials));
  }

  /** As the engine's verb. */
  authenticateKeyId(keyId: string): KeyIdentity | null | Promise<KeyIdentity | null> {
    if (!isKeyId(keyId)) return null;
    const key = this.#keys.get(keyId);
    if (key !== undefined) return this.#identify(key);
    return this.#keys.lookUp(keyId).then((found) => this.#identify(found));
  }

  /**
   * Looks up all these keys now and returns those that have ended. To be called each second with
   * the keys that are in use for long: they are looked up together here, and therefore not one by
   * one when they are presented.
   */
  async tend(keyIds: readonly string[]): Promise<string[]> {
    this.#tended = new Set(keyIds);
    return pickEnded(keyIds, await Promise.all(keyIds.map((id) => this.#keys.lookUp(id))));
  }

  /** Those of the keys that have ended; looks up those that are not remembered. */
  async findEnded(keyIds: readonly string[]): Promise<string[]> {
    return pickEnded(keyIds, await Promise.all(keyIds.map((id) => this.#keys.get(id) ?? this.#keys.lookUp(id))));
  }

  /** The key has changed: its next use looks it up. */
  forget(keyId: string): void {
    this.#keys.forget(keyId);
  }

  forgetAll(): void {
    this.#keys.forgetAll();
  }

  /** Resolves when no lookup is on its way. */
  drained(): Promise<void> {
    return this.#keys.drained();
  }

  /** Writes down when keys were used. What cannot be written is kept for the next time. */
  async recordUses(): Promise<void> {
    const uses = [...this.#uses].map(([keyId, at]) => ({ keyId, at })).slice(0, USES_RECORDED_MAX);
    if (uses.length === 0) return;
    await this.#store.keys.recordUse(uses, limits.keyUseIntervalSeconds);
    for (const { keyId, at } of uses) if (this.#uses.get(keyId) === at) this.#uses.delete(keyId);
  }

  async #find(keyIds: readonly string[]): Promise<Map<string, LivingKey>> {
    const beganAtMs = performance.now();
    const keys = await this.#store.keys.find(keyIds);
    return new Map(keys.filter((key) => key.revokedAt === null).map((key) => [key.keyId, toLivingKey(key, beganAtMs)]));
  }

  #read(credentials: Credentials): PresentedCredentials {
    const known = this.#presented.get(credentials);
    if (known !== undefined) return known;
    const parts = readKey(credentials);
    const presented = { parts, sha256: digest((parts ?? credentials).secret) };
    this.#presented.set(credentials, presented);
    return presented;
  }

  #verify(key: LivingKey | null, { sha256 }: PresentedCredentials, credentials: Credentials): Access | null {
    if (key === null || !timingSafeEqual(sha256, key.secretSha256)) {
      return this.#verifyAdmin(digest(credentials.secret));
    }
    if (key.expiresAtMs <= performance.now()) return null;
    this.#noteUse(key);
    return key.access;
  }

  #identify(key: LivingKey | null): KeyIdentity | null {
    if (key === null || key.expiresAtMs <= performance.now()) return null;
    const { access, secretVersion, publicKeys } = key;
    const accept = (): Access => {
      this.#noteUse(key);
      return access;
    };
    return { secretVersion, publicKeys: publicKeys ?? [], accept };
  }

  /**
   * Under any user name. Digests are compared, so that the time reveals nothing, not even a length.
   */
  #verifyAdmin(sha256: Buffer): Access | null {
    if (this.#adminSha256 === null) return null;
    return timingSafeEqual(sha256, this.#adminSha256) ? adminAccess : null;
  }

  #noteUse({ access: { keyId }, recordedUseAtMs }: LivingKey): void {
    const now = Date.now();
    if (keyId === null) return;
    const notedAtMs = this.#uses.get(keyId)?.getTime() ?? 0;
    if (now - Math.max(recordedUseAtMs, notedAtMs) < limits.keyUseIntervalSeconds * 1000) return;
    if (this.#uses.size >= USES_MAX && !this.#uses.has(keyId)) this.#dropOldestUse();
    this.#uses.set(keyId, new Date(now));
  }

  #dropOldestUse(): void {
    const oldest = this.#uses.keys().next();
    if (!oldest.done) this.#uses.delete(oldest.value);
  }
}

/** The hash of a secret, as it is kept: see docs/decisions/0020-api-keys.md. */
export function digest(secret: string): Buffer {
  return hash('sha256', secret, 'buffer');
}

/** The time that the database still gives the key is counted from the beginning of the lookup. */
function toLivingKey(key: KeyToCheck, beganAtMs: number): LivingKey {
  const { client, keyId, roles, requestsPerSecond, secretSha256, expiresAt, checkedAt, lastUsedAt } = key;
  const { secretVersion, publicKeys } = key;
  const leftMs = expiresAt === null ? Number.POSITIVE_INFINITY : expiresAt.getTime() - checkedAt.getTime();
  return {
    access: { principal: client, keyId, grants: roles, requestsPerSecond },
    secretSha256,
    expiresAtMs: beganAtMs + leftMs,
    recordedUseAtMs: lastUsedAt?.getTime() ?? 0,
    secretVersion,
    publicKeys,
  };
}

function pickEnded(keyIds: readonly string[], keys: readonly (LivingKey | null)[]): string[] {
  const now = performance.now();
  return keyIds.filter((_, i) => (keys[i]?.expiresAtMs ?? 0) <= now);
}
