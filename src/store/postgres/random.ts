// Random numbers for receipts and message ids, from the system's source, which is asked for many at a time: asking costs more
// than what it gives.

import { randomFillSync } from 'node:crypto';

const BYTES = 8;
const pool = Buffer.alloc(BYTES * 256);
let used = pool.length;

/** 64 bits that nobody can guess. */
export function random64(): bigint {
  if (used === pool.length) {
    randomFillSync(pool);
    used = 0;
  }
  const number = pool.readBigInt64BE(used);
  // What was given out is not kept.
  pool.fill(0, used, used + BYTES);
  used += BYTES;
  return number;
}
