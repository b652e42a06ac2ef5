// Admission: who is calling, whether the call is counted, and which receives wait under which key.
// A key that is revoked or expires ends its waits; when keys were used is written down in the
// background.

import type { Access } from '../domain/access.ts';
import type { Credentials } from '../domain/api-key.ts';
import type { Allowance, FairUse } from '../domain/fair-use.ts';
import type { Logger } from '../domain/logger.ts';
import type { SecretPurpose } from '../domain/secrets.ts';
import type { Store } from '../store/index.ts';
import { RateLimits } from './fair-use/rate-limits.ts';
import { type KeyIdentity, Keyring } from './lookups/keyring.ts';
import type { Secrets } from './secrets.ts';
import { ParkedReceives } from './waiting/parked-receives.ts';

export interface AdmissionVerbs {
  /**
   * The holder and the rights of credentials; null when they are not valid, or when the key was
   * revoked or has expired. Answers without a promise where the instance remembers the key. What a
   * caller may do is for the transport to check (`checkAccess`), before it calls a verb.
   */
  authenticate(credentials: Credentials): Access | null | Promise<Access | null>;
  /**
   * The key of this id, for a transport that verifies a signature itself: with the key's public
   * keys, or with its derived secret. Null when there is none, or when it was revoked or has
   * expired; the admin key has no id. Answers without a promise where the instance remembers the
   * key.
   */
  authenticateKeyId(keyId: string): KeyIdentity | null | Promise<KeyIdentity | null>;
  /**
   * The secret that the holder was given for this purpose: 32 bytes, kept nowhere. Null where this
   * instance does not have the secret key of that version.
   */
  deriveSecret(purpose: SecretPurpose, id: string, version: number): Buffer | null;
  /**
   * Counts a call against the rate of its key; null where calls are not counted. A transport asks
   * once per request, before it reads more than it must, says what is left, and refuses what is not
   * admitted (`rate_limited`).
   */
  admit(access: Access): Allowance | null;
}

export interface AdmissionDeps {
  readonly store: Store;
  readonly logger: Logger;
  /** The key that opens everything; null when there is none. */
  readonly adminKey: string | null;
  readonly fairUse: FairUse;
  readonly secrets: Secrets;
}

export interface Admission extends AdmissionVerbs {
  readonly parked: ParkedReceives;
  /** On notification that something about a key has changed. */
  onKey(keyId: string): void;
  /** On notification that changes may have been missed. */
  forgetAll(): void;
  /**
   * Ends the waits of ended keys, writes down when keys were used, forgets rates that are whole
   * again.
   */
  tend(): Promise<void>;
  stop(): Promise<void>;
}

export function createAdmission({ store, logger, adminKey, fairUse, secrets }: AdmissionDeps): Admission {
  const keyring = new Keyring({ store, logger, adminKey });
  const parked = new ParkedReceives({ keyring, logger, fairUse });
  const rateLimits = new RateLimits({ requestsPerSecond: fairUse.keyRequestsPerSecond });

  function onKey(keyId: string): void {
    keyring.forget(keyId);
    parked.onKey(keyId);
  }

  async function tend(): Promise<void> {
    rateLimits.forgetFull();
    await Promise.all([parked.check(), keyring.recordUses()]);
  }

  async function stop(): Promise<void> {
    await keyring.drained();
    await keyring.recordUses().catch((err: unknown) => {
      logger.warn({ err }, 'when keys were used last was not written down');
    });
  }

  return {
    authenticate: (credentials) => keyring.authenticate(credentials),
    authenticateKeyId: (keyId) => keyring.authenticateKeyId(keyId),
    deriveSecret: secrets.derive,
    admit: (access) => rateLimits.admit(access),
    parked,
    onKey,
    forgetAll: () => keyring.forgetAll(),
    tend,
    stop,
  };
}
