// The budget of what is on its way through an instance.

import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import type { ErrorCode, WillcallError } from '../../../src/domain/errors.ts';
import { type Holder, Traffic } from '../../../src/engine/fair-use/byte-budget.ts';

const MIB = 1024 * 1024;
const BYTES = 64 * MIB;

let traffic: Traffic;
beforeEach(() => {
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'setImmediate'] });
  traffic = new Traffic({ bytesMax: BYTES });
});
afterEach(() => vi.useRealTimers());

const enter = (holder: Holder = null, makesRoom = false) => traffic.enter(holder, { makesRoom });
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
    const held = enter();
    held.take(BYTES);
    expect(codeOf(() => held.take(1))).toBe('overloaded');
    expect(codeOf(enter)).toBe('overloaded');
    expect(traffic.held).toBe(BYTES);
    held.release();
    expect(traffic.held).toBe(0);
    enter();
  });

  it('that make room go on in a reserve that nothing else can use up, and that has an end too', () => {
    enter().add(10 * BYTES);
    for (let i = 0; i < 4; i += 1) enter(`wk_${i}`, true).take(BYTES / 32);
    expect(codeOf(() => enter('wk_5', true))).toBe('overloaded');
  });

  it('that make room use the reserve of one key in part alone', () => {
    enter().add(BYTES);
    const held = enter('wk_1', true);
    held.take(BYTES / 32);
    expect(codeOf(() => held.take(1))).toBe('too_much_traffic');
    enter('wk_2', true).take(1);
    held.release();
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
    const held = enter('wk_1');
    held.add(5);
    held.release();
    held.release();
    held.add(5);
    expect(traffic.held).toBe(0);
  });
});

describe('answers', () => {
  it('are counted whatever the budget, and keep new requests out', () => {
    const held = enter();
    held.add(2 * BYTES);
    expect(traffic.held).toBe(2 * BYTES);
    expect(codeOf(enter)).toBe('overloaded');
  });
});

describe('looks', () => {
  it('go on a few at a time once there is room, and all of them in the end', async () => {
    const held = enter();
    held.add(BYTES);
    const goOn = Array.from({ length: 100 }, () => vi.fn());
    for (const each of goOn) expect(traffic.hasRoom(each)).toBe(false);
    held.release();
    const called = () => goOn.filter((each) => each.mock.calls.length === 1).length;
    expect(called()).toBe(BYTES / (4 * MIB));
    await vi.advanceTimersByTimeAsync(1_000);
    expect(called()).toBe(100);
    expect(traffic.hasRoom(vi.fn())).toBe(true);
  });

  it('wait on when what the first ones brought has filled the budget again', async () => {
    const held = enter();
    held.add(BYTES);

    let again: ReturnType<typeof enter> | undefined;
    const first = vi.fn(() => {
      again = enter();
      again.add(BYTES);
    });
    const others = Array.from({ length: 20 }, () => vi.fn());
    for (const each of [first, ...others]) traffic.hasRoom(each);
    held.release();
    await vi.advanceTimersByTimeAsync(1_000);
    const calls = () => others.reduce((sum, each) => sum + each.mock.calls.length, 0);
    expect(calls()).toBeLessThan(16);
    again?.release();
    await vi.advanceTimersByTimeAsync(1_000);
    expect(calls()).toBe(20);
  });

  it('are counted between their end and the answers that are made of them', async () => {
    traffic.pass(7);
    expect(traffic.held).toBe(7);
    await vi.advanceTimersByTimeAsync(0);
    expect(traffic.held).toBe(0);
  });
});
