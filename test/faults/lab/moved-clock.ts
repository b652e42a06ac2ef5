// A PostgreSQL whose clock the test moves: all of its processes run under Debian's libfaketime,
// which reads the offset from a file each time. Nothing else of the machine is touched.

import { chmod, glob, rename, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Binaries } from '../../../src/embedded/binaries.ts';

export interface MovedClock {
  /** Puts libfaketime under pg_ctl, and so under the server that it starts. */
  readonly wrap: (binaries: Binaries) => Promise<Binaries>;
  /** Moves the clock by so many seconds from the real one, at once. */
  set(seconds: number): Promise<void>;
}

/** `directory` is open to the account of PostgreSQL. */
export async function createMovedClock(directory: string): Promise<MovedClock> {
  const offsetFile = join(directory, 'offset');
  const program = join(directory, 'pg_ctl');
  const library = await findLibrary();

  async function set(seconds: number): Promise<void> {
    await writeFile(`${offsetFile}.next`, `${seconds < 0 ? '' : '+'}${seconds}\n`, { mode: 0o644 });
    await rename(`${offsetFile}.next`, offsetFile);
  }

  async function wrap(binaries: Binaries): Promise<Binaries> {
    await writeFile(
      program,
      `#!/bin/sh
export LD_PRELOAD='${library}' FAKETIME_TIMESTAMP_FILE='${offsetFile}'
export FAKETIME_NO_CACHE=1 FAKETIME_DONT_FAKE_MONOTONIC=1
exec '${binaries.pgCtl}' "$@"
`,
    );
    await chmod(program, 0o755);
    return { ...binaries, pgCtl: program };
  }

  await set(0);
  return { wrap, set };
}

async function findLibrary(): Promise<string> {
  for await (const path of glob('/usr/lib/*/faketime/libfaketime.so.1')) return path;
  throw new Error('There is no libfaketime: apt-get install faketime.');
}
