// The in-flight byte budget of an instance.

import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import type { ErrorCode, WillcallError } from '../../../src/domain/errors.ts';
import { ByteBudget, type ByteOwner } from '../../../src/engine/fair-use/byte-budget.ts';

const MIB = 1024 * 1024;
const BYTES = 64 * MIB;

let byteBudget: ByteBudget;
beforeEach(() => {
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'setImmediate'] });
  byteBudget = new ByteBudget({ bytesMax: BYTES });
});
afterEach(() => vi.useRealTimers());

const enter = (owner: ByteOwner = null, usesReserve = false) => byteBudget.reserve(owner, { usesReserve });
const codeOf = (work: () => unknown): ErrorCode | null => {
  try {
    work();
    return null;
  } catch (error) {
    return (error as WillcallError).code;
  }
};

describe('requests', () => {
  it('are let in as long as there is room, and their bodies until there is none', () => {
    const reservation = enter();
    reservation.take(BYTES);
    expect(codeOf(() => reservation.take(1))).toBe('overloaded');
    expect(codeOf(enter)).toBe('overloaded');
    expect(byteBudget.bytes).toBe(BYTES);
    reservation.release();
    expect(byteBudget.bytes).toBe(0);
    enter();
  });

  it('that free bytes go on in a reserve that nothing else can use up, and that has an end too', () => {
    enter().add(10 * BYTES);
    for (let i = 0; i < 4; i += 1) enter(`wk_${i}`, true).take(BYTES / 32);
    expect(codeOf(() => enter('wk_5', true))).toBe('overloaded');
  });

  it('that free bytes use the reserve of one key in part alone', () => {
    enter().add(BYTES);
    const reservation = enter('wk_1', true);
    reservation.take(BYTES / 32);
    expect(codeOf(() => reservation.take(1))).toBe('too_much_traffic');
    enter('wk_2', true).take(1);
    reservation.release();
    enter('wk_1', true).take(1);
  });

  it('of one key hold a quarter at most, however many they are', () => {
    const [first, second] = [enter('wk_1'), enter('wk_1')];
    first.take(BYTES / 8);
    second.take(BYTES / 8);
    expect(codeOf(() => second.take(1))).toBe('too_much_traffic');
    expect(codeOf(() => enter('wk_1'))).toBe('too_much_traffic');
    enter('wk_2').take(BYTES / 4);
    enter('wk_1', true).take(1);
    first.release();
    enter('wk_1').take(BYTES / 8 - 1);
  });

  it('without a key are bounded like one key, those of the admin by the budget alone', () => {
    enter('').take(BYTES / 4);
    expect(codeOf(() => enter(''))).toBe('too_much_traffic');
    enter(null).take(BYTES / 2);
  });

  it('let go once, and hold nothing afterwards', () => {
    const reservation = enter('wk_1');
    reservation.add(5);
    reservation.release();
    reservation.release();
    reservation.add(5);
    expect(byteBudget.bytes).toBe(0);
  });
});

describe('answers', () => {
  it('are counted whatever the budget, and keep new requests out', () => {
    const reservation = enter();
    reservation.add(2 * BYTES);
    expect(byteBudget.bytes).toBe(2 * BYTES);
    expect(codeOf(enter)).toBe('overloaded');
  });
});

describe('receives', () => {
  it('resume a few at a time once there is room, and all of them in the end', async () => {
    const reservation = enter();
    reservation.add(BYTES);
    const resumes = Array.from({ length: 100 }, () => vi.fn());
    for (const each of resumes) expect(byteBudget.roomOr(each)).toBe(false);
    reservation.release();
    const called = () => resumes.filter((each) => each.mock.calls.length === 1).length;
    expect(called()).toBe(BYTES / (4 * MIB));
    await vi.advanceTimersByTimeAsync(1_000);
    expect(called()).toBe(100);
    expect(byteBudget.roomOr(vi.fn())).toBe(true);
  });

  it('wait on when what the first ones brought has filled the budget again', async () => {
    const reservation = enter();
    reservation.add(BYTES);

    let again: ReturnType<typeof enter> | undefined;
    const first = vi.fn(() => {
      again = enter();
      again.add(BYTES);
    });
    const others = Array.from({ length: 20 }, () => vi.fn());
    for (const each of [first, ...others]) byteBudget.roomOr(each);
    reservation.release();
    await vi.advanceTimersByTimeAsync(1_000);
    const calls = () => others.reduce((sum, each) => sum + each.mock.calls.length, 0);
    expect(calls()).toBeLessThan(16);
    again?.release();
    await vi.advanceTimersByTimeAsync(1_000);
    expect(calls()).toBe(20);
  });

  it('are counted between their end and the answers that are made of them', async () => {
    byteBudget.countForTurn(7);
    expect(byteBudget.bytes).toBe(7);
    await vi.advanceTimersByTimeAsync(0);
    expect(byteBudget.bytes).toBe(0);
  });
});
