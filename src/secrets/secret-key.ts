// The secret key: 32 bytes from which secrets that must be recoverable are derived, never stored.
// The environment gives it; with the embedded PostgreSQL it is else kept in the data directory, and
// one that was rotated out beside it.

import { resolve } from 'node:path';
import type { SecretKeys } from '../domain/secrets.ts';
import { type KeyFile, type KeyFileKind, openKeyFile, readKeyFile } from './key-file.ts';

export interface SecretKeySettings {
  /** Null: what the environment did not give. */
  readonly current: Buffer | null;
  readonly previous: Buffer | null;
  /** Where keys are kept; null where several instances may share a database. */
  readonly dataDir: string | null;
}

export interface OpenedSecretKeys {
  /** Null: there is none, and nothing can be derived. */
  readonly keys: SecretKeys | null;
  /** Files that others than their owner may read or write. */
  readonly exposed: readonly string[];
}

const FILE = 'secret-key';
const PREVIOUS_FILE = 'secret-key-previous';

/** Throws KeyFileError. */
export async function openSecretKeys({ current, previous, dataDir }: SecretKeySettings): Promise<OpenedSecretKeys> {
  if (current !== null) return { keys: { current, previous }, exposed: [] };
  if (dataDir === null) return { keys: null, exposed: [] };
  const file = await openKeyFile(kindOf(resolve(dataDir, FILE)));
  const old = await readKeyFile(kindOf(resolve(dataDir, PREVIOUS_FILE)));
  const files = [file, old].filter((each) => each !== null);
  return {
    keys: { current: bytesOf(file), previous: old === null ? null : bytesOf(old) },
    exposed: files.filter(({ isExposed }) => isExposed).map(({ path }) => path),
  };
}

function kindOf(path: string): KeyFileKind {
  const form = '32 bytes in base64url';
  return { path, name: 'secret key', variable: 'WILLCALL_SECRET_KEY', pattern: /^[A-Za-z0-9_-]{43}$/, form };
}

function bytesOf({ key }: KeyFile): Buffer {
  return Buffer.from(key, 'base64url');
}
