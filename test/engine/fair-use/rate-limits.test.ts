// Rates of keys on a clock that the test holds.

import fc from 'fast-check';
import { beforeEach, describe, expect, it } from 'vitest';
import { type Access, adminAccess } from '../../../src/domain/access.ts';
import { RateLimits } from '../../../src/engine/fair-use/rate-limits.ts';

let now = 0;
beforeEach(() => {
  now = 1_000_000;
});

/** In calls: less than a thousandth, which is what a millisecond earns at the slowest rate. */
const ROUNDING = 0.0005;

const limitsOf = (requestsPerSecond: number) => new RateLimits({ requestsPerSecond, now: () => now });
const access = (keyId: string, requestsPerSecond: number | null = null): Access => ({
  ...{ principal: 'acme', keyId, grants: [], requestsPerSecond },
});
const call = (rates: RateLimits, key = access('wk_1')) => {
  const allowance = rates.admit(key);
  if (allowance === null) throw new Error('not counted');
  return allowance;
};
const callUntilRefused = (rates: RateLimits, key?: Access) => {
  let admitted = 0;
  while (call(rates, key).admitted) admitted += 1;
  return admitted;
};

describe('the rate of a key', () => {
  it('admits two seconds of calls at once after a rest, then as many as the rate says', () => {
    const rates = limitsOf(50);
    expect(callUntilRefused(rates)).toBe(100);
    now += 1_000;
    expect(callUntilRefused(rates)).toBe(50);
    now += 19.9;
    expect(call(rates).admitted).toBe(false);
    now += 0.1;
    expect(call(rates).admitted).toBe(true);
    now += 3_600_000;
    expect(callUntilRefused(rates)).toBe(100);
  });

  it('admits ten at once where two seconds hold fewer', () => {
    const rates = limitsOf(1);
    expect(callUntilRefused(rates)).toBe(10);
    now += 3_000;
    expect(callUntilRefused(rates)).toBe(3);
  });

  it('says what is left, and when there is all of it again', () => {
    const rates = limitsOf(50);
    const quota = { quota: 100, windowSeconds: 2 };
    expect(call(rates)).toEqual({
      ...{ ...quota, admitted: true, remaining: 99, resetSeconds: 1, retryAfterSeconds: 0 },
    });
    for (let i = 0; i < 98; i += 1) call(rates);
    expect(call(rates)).toEqual({
      ...{ ...quota, admitted: true, remaining: 0, resetSeconds: 2, retryAfterSeconds: 0 },
    });
    expect(call(rates)).toEqual({
      ...{ ...quota, admitted: false, remaining: 0, resetSeconds: 2, retryAfterSeconds: 1 },
    });
  });

  it('says when the next call is admitted, and keeps its word, however often one asks before', () => {
    const rates = new RateLimits({ requestsPerSecond: 1, now: () => now });
    callUntilRefused(rates);
    now += 100;
    for (let i = 0; i < 1_000; i += 1) expect(call(rates)).toMatchObject({ admitted: false, retryAfterSeconds: 1 });
    now += 900;
    expect(call(rates).admitted).toBe(true);
  });

  it('is its own where it has one, and none where that is 0', () => {
    const rates = limitsOf(5);
    expect(callUntilRefused(rates, access('wk_2', 100))).toBe(200);
    expect(rates.admit(access('wk_3', 0))).toBeNull();
    expect(limitsOf(0).admit(access('wk_4'))).toBeNull();
    expect(callUntilRefused(limitsOf(0), access('wk_5', 5))).toBe(10);
  });

  it("is no other key's, and the admin key has none", () => {
    const rates = limitsOf(5);
    callUntilRefused(rates, access('wk_1'));
    expect(call(rates, access('wk_2')).admitted).toBe(true);
    expect(rates.admit(adminAccess)).toBeNull();
  });

  it('is forgotten once it is whole again, and not before', () => {
    const rates = limitsOf(5);
    for (let i = 0; i < 100; i += 1) callUntilRefused(rates, access(`wk_${i}`));
    now += 1_999;
    rates.forgetFull();
    expect(rates.size).toBe(100);
    now += 1;
    rates.forgetFull();
    expect(rates.size).toBe(0);
    expect(callUntilRefused(rates, access('wk_1'))).toBe(10);
  });

  it('is never exceeded over any stretch of time, and never short of what it promises', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 2_000 }),
        fc.array(fc.tuple(fc.nat(3_000), fc.integer({ min: 1, max: 50 })), { maxLength: 40 }),
        (rate, steps) => {
          const rates = limitsOf(rate);
          const quota = Math.max(10, 2 * rate);
          // The bucket, said a second time.
          let tokens = quota;
          for (const [waitMs, calls] of steps) {
            now += waitMs;
            tokens = Math.min(quota, tokens + (waitMs * rate) / 1000);
            for (let i = 0; i < calls; i += 1) {
              const admitted = tokens >= 1 - ROUNDING;
              expect(call(rates).admitted).toBe(admitted);
              if (admitted) tokens -= 1;
            }
          }
        },
      ),
    );
  });
});
