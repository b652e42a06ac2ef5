// A key file in the data directory: made on the first start, readable by its owner alone.
// Several starts at once agree on one key, and a crash leaves a whole file or none.

import { randomBytes } from 'node:crypto';
import { link, mkdir, open, readFile, rm, stat } from 'node:fs/promises';
import { dirname } from 'node:path';

export interface KeyFile {
  readonly key: string;
  readonly path: string;
  /** True on the start that made it. */
  readonly isNew: boolean;
  /** Whether others than its owner may read the file, or write it. */
  readonly isExposed: boolean;
}

export interface KeyFileKind {
  readonly path: string;
  /** What it is called in sentences, and the setting that takes its place. */
  readonly name: string;
  readonly variable: string;
  /** What a key looks like, and the same in words. */
  readonly pattern: RegExp;
  readonly form: string;
}

/** A key file that cannot be used; the message is a sentence for whoever starts the service. */
export class KeyFileError extends Error {
  constructor(message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = 'KeyFileError';
  }
}

const KEY_BYTES = 32;
const OWNER_ONLY = 0o600;
const BY_OTHERS = 0o077;

/** The key kept there, else a new one of 32 random bytes. Throws KeyFileError. */
export async function openKeyFile(kind: KeyFileKind): Promise<KeyFile> {
  return naming(kind, async () => {
    await mkdir(dirname(kind.path), { recursive: true });
    const kept = await readKeyFile(kind);
    if (kept !== null) return kept;
    const key = randomBytes(KEY_BYTES).toString('base64url');
    if (await keep(kind.path, key)) return { key, path: kind.path, isNew: true, isExposed: false };
    // Another start was faster; its key counts.
    const theirs = await readKeyFile(kind);
    if (theirs !== null) return theirs;
    throw new KeyFileError(`The ${kind.name} ${kind.path} vanished while it was read: start again.`);
  });
}

/** The key kept there; null when there is none. Throws KeyFileError. */
export async function readKeyFile(kind: KeyFileKind): Promise<KeyFile | null> {
  return naming(kind, async () => {
    const { path } = kind;
    const text = await readFile(path, 'utf8').catch((error: NodeJS.ErrnoException) => {
      if (error.code === 'ENOENT') return null;
      throw error;
    });
    if (text === null) return null;
    const key = text.trim();
    if (kind.pattern.test(key)) return { key, path, isNew: false, isExposed: await isExposed(path) };
    throw new KeyFileError(
      `The file ${path} does not hold ${kind.form}: restore it, or remove it to have a new one made.`,
    );
  });
}

async function naming<T>({ name, path, variable }: KeyFileKind, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    if (error instanceof KeyFileError) throw error;
    const reason = error instanceof Error ? error.message : String(error);
    throw new KeyFileError(
      `The ${name} ${path} cannot be read or made (${reason}): give Willcall access, or set ${variable}.`,
      { cause: error },
    );
  }
}

/** Windows has other rights than modes. */
async function isExposed(path: string): Promise<boolean> {
  return process.platform !== 'win32' && ((await stat(path)).mode & BY_OTHERS) !== 0;
}

/** Writes the whole file aside and links it into place; false when there is one already. */
async function keep(path: string, key: string): Promise<boolean> {
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
