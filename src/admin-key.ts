// The admin key: made on the first start and kept in the data directory, readable by its owner
// alone, unless the environment brings one. Several starts at once agree on one key, and a crash
// leaves a whole file or none.

import { randomBytes } from 'node:crypto';
import { link, mkdir, open, readFile, rm, stat } from 'node:fs/promises';
import { resolve } from 'node:path';

export interface AdminKey {
  readonly key: string;
  /** Where it is kept; null when the environment brought it. */
  readonly path: string | null;
  /** True on the start that made it. */
  readonly isNew: boolean;
  /** Whether others than its owner may read the file, or write it. */
  readonly isExposed: boolean;
}

/** A key file that cannot be used; the message is a sentence for whoever starts the service. */
export class AdminKeyError extends Error {
  constructor(message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = 'AdminKeyError';
  }
}

const FILE = 'admin-key';
const KEY_BYTES = 32;
const OWNER_ONLY = 0o600;
const BY_OTHERS = 0o077;
const KEY = /^[\x21-\x7e]{32,512}$/;

/**
 * The key given, else the one kept in the data directory, else a new one that is kept there. Throws
 * AdminKeyError.
 */
export async function openAdminKey(given: string | null, dataDir: string): Promise<AdminKey> {
  if (given !== null) return { key: given, path: null, isNew: false, isExposed: false };
  const path = resolve(dataDir, FILE);
  try {
    await mkdir(dataDir, { recursive: true });
    const kept = await readKey(path);
    if (kept !== null) return { key: kept, path, isNew: false, isExposed: await isExposed(path) };
    const made = randomBytes(KEY_BYTES).toString('base64url');
    if (await keepKey(path, made)) return { key: made, path, isNew: true, isExposed: false };
    // Another start was faster; its key counts.
    const theirs = await readKey(path);
    if (theirs !== null) return { key: theirs, path, isNew: false, isExposed: false };
    throw new AdminKeyError(`The admin key ${path} vanished while it was read: start again.`);
  } catch (error) {
    if (error instanceof AdminKeyError) throw error;
    const reason = error instanceof Error ? error.message : String(error);
    throw new AdminKeyError(
      `The admin key ${path} cannot be read or made (${reason}): give Willcall access, or set WILLCALL_ADMIN_KEY.`,
      { cause: error },
    );
  }
}

async function readKey(path: string): Promise<string | null> {
  const text = await readFile(path, 'utf8').catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return null;
    throw error;
  });
  if (text === null) return null;
  const key = text.trim();
  if (KEY.test(key)) return key;
  throw new AdminKeyError(
    `The file ${path} does not hold a key of at least 32 characters: restore it, or remove it to have a new key made.`,
  );
}

/** Windows has other rights than modes. */
async function isExposed(path: string): Promise<boolean> {
  return process.platform !== 'win32' && ((await stat(path)).mode & BY_OTHERS) !== 0;
}

/**
 * Writes the whole file aside and links it into place, which fails when there is one already; false
 * then.
 */
async function keepKey(path: string, key: string): Promise<boolean> {
  const draft = `${path}.${randomBytes(6).toString('hex')}`;
  try {
    const file = await open(draft, 'wx', OWNER_ONLY);
    try {
      await file.writeFile(`${key}\n`);
      await file.sync();
    } finally {
      await file.close();
    }
    await link(draft, path);
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EEXIST') return false;
    throw error;
  } finally {
    await rm(draft, { force: true });
  }
}
