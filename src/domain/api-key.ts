// API keys: what is stored about a key, and the format of its text.
// `wk_`, 20 hexadecimal digits (together the id, which is not secret), an underscore, and 43
// characters of base64url for 32 random bytes. So a key identifies its own row.

import type { Grant } from './access.ts';
import type { PublicKey } from './public-key.ts';

const ID = /^wk_[0-9a-f]{20}$/;
const KEY = /^(wk_[0-9a-f]{20})_([A-Za-z0-9_-]{43})$/;
const ID_TIME_BYTES = 6;

/** What is stored about a key, except the hash of its secret. */
export interface ApiKey {
  readonly keyId: string;
  /** Its holder, recorded as the principal of its calls. A client may have several keys at once. */
  readonly client: string;
  readonly roles: readonly Grant[];
  /** Null: never. */
  readonly expiresAt: Date | null;
  /** On average and on each instance; 0 means no limit, null the instance's default. */
  readonly requestsPerSecond: number | null;
  readonly createdAt: Date;
  readonly createdBy: string;
  readonly revokedAt: Date | null;
  readonly revokedBy: string | null;
  /** To the minute; null when it was never used. */
  readonly lastUsedAt: Date | null;
  /**
   * Of the secret key that its derived secret is made with; null when nothing is derived for it.
   */
  readonly secretVersion: number | null;
  /** With which its holder's signatures are verified; null for none. */
  readonly publicKeys: readonly PublicKey[] | null;
}

/**
 * Presented credentials: a whole key, or an id and a secret. `id` is, for instance, the user name
 * of HTTP's Basic scheme.
 */
export interface Credentials {
  readonly id: string | null;
  readonly secret: string;
}

export interface KeyParts {
  readonly id: string;
  readonly secret: string;
}

/** Formats an id; ids sort by time of creation. `random` is 4 bytes. */
export function formatKeyId(madeAt: Date, random: Buffer): string {
  const time = Buffer.alloc(ID_TIME_BYTES);
  time.writeUIntBE(madeAt.getTime(), 0, ID_TIME_BYTES);
  return `wk_${time.toString('hex')}${random.toString('hex')}`;
}

/** Formats the text that the holder sends. */
export function formatKey({ id, secret }: KeyParts): string {
  return `${id}_${secret}`;
}

export function isKeyId(text: string): boolean {
  return ID.test(text);
}

/**
 * Reads credentials: a whole key under any user name, or a secret under its id; null when they are
 * neither.
 */
export function readKey({ id, secret }: Credentials): KeyParts | null {
  const [, keyId, keySecret] = KEY.exec(secret) ?? [];
  if (keyId !== undefined && keySecret !== undefined) return { id: keyId, secret: keySecret };
  return id !== null && isKeyId(id) ? { id, secret } : null;
}
