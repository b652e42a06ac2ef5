// Random numbers for receipts and message ids, from the system's source.
// They are drawn many at a time: one call of the source costs more than the bytes it gives.

import { randomFillSync } from 'node:crypto';

const BYTES = 8;
const NUMBERS = 256;

/** Returns 64 bits that cannot be guessed. */
export type Random64 = () => bigint;

export function createRandom64(): Random64 {
  const pool = Buffer.alloc(BYTES * NUMBERS);
  let used = pool.length;
  return function random64(): bigint {
    if (used === pool.length) {
      randomFillSync(pool);
      used = 0;
    }
    const number = pool.readBigInt64BE(used);
    // A number that was given out must not stay in memory.
    pool.fill(0, used, used + BYTES);
    used += BYTES;
    return number;
  };
}
