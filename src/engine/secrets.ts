// Secrets derived from the instance's secret key, after the database has confirmed that it is the
// one. Each secret key that a database has seen has a version. A rotation adds one: an instance
// that has the new key and the one before derives for both, until nothing needs the old one any
// more.

import type { Logger } from '../domain/logger.ts';
import { checkValueOf, deriveSecret, type SecretKeys, type SecretPurpose } from '../domain/secrets.ts';
import type { Store } from '../store/index.ts';
import type { SecretVersion } from '../store/secrets.ts';

export interface Secrets {
  /** Of what is derived for something new; null where there is no secret key. */
  readonly version: number | null;
  /** 32 bytes; null where this instance does not have the secret key of that version. */
  derive(purpose: SecretPurpose, id: string, version: number): Buffer | null;
}

/** A secret key that does not fit the database; the message is a sentence for operators. */
export class SecretKeyError extends Error {
  constructor(message: string) {
    super(message);
    this.name = 'SecretKeyError';
  }
}

export const noSecrets: Secrets = Object.freeze({ version: null, derive: () => null });

/**
 * Throws SecretKeyError when the database's other instances have another secret key, or this one
 * none.
 */
export async function openSecrets(store: Store, keys: SecretKeys | null, logger: Logger): Promise<Secrets> {
  const known = await store.secrets.list();
  if (keys === null) {
    if (known.length > 0) throw new SecretKeyError(MISSING);
    return noSecrets;
  }
  const versions = await confirm(store, known, keys);
  const secretKeys = new Map<number, Buffer>();
  for (const key of [keys.current, keys.previous]) {
    const version = key === null ? undefined : versionOf(versions, key);
    if (key !== null && version !== undefined) secretKeys.set(version, key);
  }
  await warnOfLostVersions(store, secretKeys, logger);
  return {
    version: versionOf(versions, keys.current) ?? null,
    derive: (purpose, id, version) => {
      const key = secretKeys.get(version);
      return key === undefined ? null : deriveSecret(key, purpose, id, version);
    },
  };
}

/** The versions, with the current key's as the last. */
async function confirm(store: Store, known: SecretVersion[], keys: SecretKeys): Promise<SecretVersion[]> {
  const { current, previous } = keys;
  let versions = known;
  if (previous !== null && versions.length === 0) versions = await add(store, versions, previous);
  if (previous !== null && versionOf(versions, previous) === undefined) throw new SecretKeyError(OTHER_PREVIOUS);
  const latest = versions.at(-1)?.version;
  const isRotation = previous !== null && versionOf(versions, previous) === latest;
  if (versionOf(versions, current) === undefined && (latest === undefined || isRotation)) {
    versions = await add(store, versions, current);
  }
  const version = versionOf(versions, current);
  if (version === undefined) throw new SecretKeyError(OTHER);
  if (version !== versions.at(-1)?.version) throw new SecretKeyError(EARLIER);
  return versions;
}

/** Adds the next version, or learns the one that another instance added at the same moment. */
async function add(store: Store, versions: SecretVersion[], key: Buffer): Promise<SecretVersion[]> {
  await store.secrets.add({ version: (versions.at(-1)?.version ?? 0) + 1, checkValue: checkValueOf(key) });
  return store.secrets.list();
}

function versionOf(versions: readonly SecretVersion[], key: Buffer): number | undefined {
  const checkValue = checkValueOf(key);
  return versions.find((each) => each.checkValue.equals(checkValue))?.version;
}

async function warnOfLostVersions(
  store: Store,
  secretKeys: ReadonlyMap<number, Buffer>,
  logger: Logger,
): Promise<void> {
  for (const { secretVersion, keys } of await store.secrets.listInUse()) {
    if (secretVersion === null || secretKeys.has(secretVersion)) continue;
    logger.warn({ secretVersion, keys }, 'keys were made with an earlier secret key that this instance does not have');
  }
}

const SEE = 'see docs/operations.md, "The secret key".';
const OTHER =
  'This database belongs to instances with another secret key: set WILLCALL_SECRET_KEY to theirs, or, to rotate it, ' +
  `set WILLCALL_SECRET_KEY_PREVIOUS to theirs as well; ${SEE}`;
const OTHER_PREVIOUS = `WILLCALL_SECRET_KEY_PREVIOUS is not a secret key that this database's instances had: correct it; ${SEE}`;
const EARLIER =
  'WILLCALL_SECRET_KEY is one that was rotated out: set it to the newest, and WILLCALL_SECRET_KEY_PREVIOUS to this ' +
  `one while it is needed; ${SEE}`;
const MISSING = `This database belongs to instances with a secret key: set WILLCALL_SECRET_KEY to theirs; ${SEE}`;
