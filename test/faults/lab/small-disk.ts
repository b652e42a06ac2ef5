// A disk that is soon full: a file system in memory, and ballast to fill it with.

import { mkdir, open, rm, statfs } from 'node:fs/promises';
import { join } from 'node:path';
import { runCommand } from '../../../src/embedded/command.ts';

export interface SmallDisk {
  readonly directory: string;
  /** Leaves nothing free. */
  fill(): Promise<void>;
  /** Takes the ballast off again. */
  empty(): Promise<void>;
  unmount(): Promise<void>;
}

const BYTES = 192 * 1024 * 1024;
const PIECE = Buffer.alloc(64 * 1024, 1);

/** Throws a sentence where nothing can be mounted: without root, or in a container that may not. */
export async function mountSmallDisk(directory: string): Promise<SmallDisk> {
  await mkdir(directory, { recursive: true });
  const options = ['-t', 'tmpfs', '-o', `size=${BYTES},mode=0755`, 'tmpfs', directory];
  const { code, output } = await runCommand('mount', options);
  if (code !== 0) {
    throw new Error(`This test mounts a file system in memory, which takes root and the right to mount: ${output}`);
  }
  const ballast = join(directory, 'ballast');
  return {
    directory,
    fill: async () => {
      const file = await open(ballast, 'a');
      try {
        for (;;) await file.write(PIECE);
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code !== 'ENOSPC') throw error;
      } finally {
        await file.close();
      }
      const { bavail } = await statfs(directory);
      if (bavail > 16) throw new Error(`${bavail} blocks of ${directory} are still free`);
    },
    empty: () => rm(ballast, { force: true }),
    unmount: async () => {
      const { code: failed, output } = await runCommand('umount', [directory]);
      if (failed !== 0) throw new Error(`${directory} is still mounted: ${output}`);
    },
  };
}
