// Secrets that must be recoverable, as for checking a signature: derived from the instance's secret
// key and stored nowhere (RFC 2104, HMAC-SHA256). Without that key the database opens nothing.

import { createHmac } from 'node:crypto';

export const secretPurposes = ['sigv4', 'webhook', 'ticket'] as const;
export type SecretPurpose = (typeof secretPurposes)[number];

export const SECRET_KEY_BYTES = 32;

/** The instance's secret keys: all of a database's instances have the same. */
export interface SecretKeys {
  readonly current: Buffer;
  /** The one before, during a rotation; null otherwise. */
  readonly previous: Buffer | null;
}

/** 32 bytes, for one purpose and one id, of the secret key of this version. */
export function deriveSecret(key: Buffer, purpose: SecretPurpose, id: string, version: number): Buffer {
  return hmac(key, `willcall/${purpose}/${version}/${id}`);
}

/** What tells secret keys apart; nothing can be derived from it. */
export function checkValueOf(key: Buffer): Buffer {
  return hmac(key, 'willcall/check');
}

function hmac(key: Buffer, text: string): Buffer {
  return createHmac('sha256', key).update(text, 'utf8').digest();
}
