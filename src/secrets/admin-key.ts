// The admin key: given by the environment, or else kept in the data directory from the first start
// on.

import { resolve } from 'node:path';
import { openKeyFile } from './key-file.ts';

export interface AdminKey {
  readonly key: string;
  /** Where it is kept; null when the environment gave it. */
  readonly path: string | null;
  /** True on the start that made it. */
  readonly isNew: boolean;
  /** Whether others than its owner may read the file, or write it. */
  readonly isExposed: boolean;
}

const FILE = 'admin-key';

/** Throws KeyFileError. */
export async function openAdminKey(given: string | null, dataDir: string): Promise<AdminKey> {
  if (given !== null) return { key: given, path: null, isNew: false, isExposed: false };
  return openKeyFile({
    path: resolve(dataDir, FILE),
    name: 'admin key',
    variable: 'WILLCALL_ADMIN_KEY',
    pattern: /^[\x21-\x7e]{32,512}$/,
    form: 'a key of at least 32 characters',
  });
}
