// Resident memory, read from /proc; null where there is none.

import { readFileSync } from 'node:fs';

/** Of these processes together, in MiB. */
export function readRssMib(pids: readonly number[]): number | null {
  const each = pids.map(readOne);
  return each.includes(null) ? null : each.reduce<number>((sum, mib) => sum + (mib ?? 0), 0);
}

function readOne(pid: number): number | null {
  try {
    const kib = /^VmRSS:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, 'latin1'))?.[1];
    return kib === undefined ? null : Number(kib) / 1024;
  } catch {
    return null;
  }
}
