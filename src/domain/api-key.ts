// API keys: what is known of one, and how its text is made up. `wk_`, 20 hexadecimal digits
// (together the id, which is no secret), an underscore, and 43 characters of base64url for 32
// random bytes. So a key names its row by itself.

import type { Grant } from './access.ts';

const ID = /^wk_[0-9a-f]{20}$/;
const KEY = /^(wk_[0-9a-f]{20})_([A-Za-z0-9_-]{43})$/;
const ID_TIME_BYTES = 6;

/** What is kept of a key, but for the hash of its secret. */
export interface ApiKey {
  readonly keyId: string;
  /** Whose it is: the principal of what is done with it. A client may have several keys at once. */
  readonly client: string;
  readonly roles: readonly Grant[];
  /** Null: never. */
  readonly expiresAt: Date | null;
  /** On average and on each instance; 0 is no bound, null what the instance sets. */
  readonly requestsPerSecond: number | null;
  readonly createdAt: Date;
  readonly createdBy: string;
  readonly revokedAt: Date | null;
  readonly revokedBy: string | null;
  /** To the minute; null when it was never used. */
  readonly lastUsedAt: Date | null;
}

/**
 * What a caller showed: a whole key, or an id and a secret. `id` is the user name of HTTP's Basic
 * scheme, for one.
 */
export interface Credentials {
  readonly id: string | null;
  readonly secret: string;
}

export interface KeyParts {
  readonly id: string;
  readonly secret: string;
}

/** Ids sort by the time of their making; `random` is 4 bytes. */
export function formatKeyId(madeAt: Date, random: Buffer): string {
  const time = Buffer.alloc(ID_TIME_BYTES);
  time.writeUIntBE(madeAt.getTime(), 0, ID_TIME_BYTES);
  return `wk_${time.toString('hex')}${random.toString('hex')}`;
}

/** The text that its holder sends. */
export function formatKey({ id, secret }: KeyParts): string {
  return `${id}_${secret}`;
}

export function isKeyId(text: string): boolean {
  return ID.test(text);
}

/**
 * Which key the credentials mean: a whole key under any user name, or a secret under its id; null
 * when neither.
 */
export function readKey({ id, secret }: Credentials): KeyParts | null {
  const [, keyId, keySecret] = KEY.exec(secret) ?? [];
  if (keyId !== undefined && keySecret !== undefined) return { id: keyId, secret: keySecret };
  return id !== null && isKeyId(id) ? { id, secret } : null;
}
