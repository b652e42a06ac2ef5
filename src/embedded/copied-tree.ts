// Copied tree: files and directories that are copied with their owners and modes, then flushed.
// A file that vanishes while it is copied is left out: a running server removes some.

import { chmod, chown, constants, copyFile, mkdir, open, readdir, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { codeOf } from '../store/schema/migration-error.ts';

/** Says what to do with an entry, by its path below the root and its name. */
export type CopyRule = (path: string, name: string) => 'whole' | 'empty' | 'not';

/** What was copied so far. */
export class CopiedTree {
  readonly #written: string[] = [];
  readonly #directories: string[] = [];
  #bytes = 0;

  get files(): number {
    return this.#written.length;
  }

  get bytes(): number {
    return this.#bytes;
  }

  /** Copies a directory, which must not exist, with what is in it as far as the rule says. */
  async copy(from: string, to: string, rule: CopyRule, path = ''): Promise<void> {
    await this.#makeDirectory(from, to);
    for (const entry of await readdir(from, { withFileTypes: true })) {
      const below = join(path, entry.name);
      const what = rule(below, entry.name);
      if (what === 'not') continue;
      const source = join(from, entry.name);
      const target = join(to, entry.name);
      if (entry.isFile()) await this.copyFile(source, target);
      else if (entry.isSymbolicLink()) throw new Error(`${source} is a link, which a backup would not hold`);
      else if (entry.isDirectory()) {
        if (what === 'empty') await this.#makeDirectory(source, target);
        else await this.copy(source, target, rule, below);
      }
    }
  }

  async copyFile(from: string, to: string): Promise<void> {
    try {
      await copyFile(from, to, constants.COPYFILE_EXCL | constants.COPYFILE_FICLONE);
    } catch (error) {
      if (codeOf(error) === 'ENOENT') return;
      throw error;
    }
    await this.#own(to, from);
  }

  /** A file of our own, with the owner of the entry `like`. */
  async write(to: string, text: string, like: string): Promise<void> {
    await writeFile(to, text, { mode: 0o600, flag: 'wx' });
    await this.#own(to, like);
  }

  /** Flushes everything to disk. */
  async sync(): Promise<void> {
    for (const path of [...this.#written, ...this.#directories.reverse()]) await syncPath(path);
  }

  async #own(to: string, like: string): Promise<void> {
    await giveLike(to, like);
    this.#written.push(to);
    this.#bytes += (await stat(to)).size;
  }

  async #makeDirectory(from: string, to: string): Promise<void> {
    await mkdir(to, { mode: 0o700 });
    await chmod(to, (await stat(from)).mode & 0o777);
    await giveLike(to, from);
    this.#directories.push(to);
  }
}

/** Gives a path the owner of another; only root has other owners than itself. */
async function giveLike(path: string, like: string): Promise<void> {
  if (process.getuid?.() !== 0) return;
  const { uid, gid } = await stat(like);
  await chown(path, uid, gid);
}

/** Flushes a file or a directory to disk. */
export async function syncPath(path: string): Promise<void> {
  // Windows cannot open a directory; its file system journals renames.
  if (process.platform === 'win32' && (await stat(path)).isDirectory()) return;
  const handle = await open(path);
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}
