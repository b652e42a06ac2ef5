// The dispatcher of one subscription: when it looks, for whom, and what becomes of those who wait.

import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import type { WaiterAnswer } from '../../../src/engine/waiting/waiter.ts';
import {
  BUDGET_BYTES,
  BYTES_MAX,
  type DispatcherBench,
  message,
  openDispatcherBench,
} from '../../support/dispatcher.ts';

/** As the store bounds each. */
const STATEMENT_MS_MAX = 10_000;

let looks: DispatcherBench['looks'];
let handedBack: DispatcherBench['handedBack'];
let dispatcher: DispatcherBench['dispatcher'];
let byteBudget: DispatcherBench['byteBudget'];
let wait: DispatcherBench['wait'];
let answerLook: DispatcherBench['answerLook'];

beforeEach(() => {
  ({ looks, handedBack, dispatcher, byteBudget, wait, answerLook } = openDispatcherBench());
});
afterEach(() => vi.useRealTimers());

function sequencesOf(waiter: { answer: WaiterAnswer | null }): number[] | 'gone' | null {
  if (waiter.answer === null || waiter.answer === 'gone') return waiter.answer;
  return waiter.answer.messages.map(({ sequence }) => sequence);
}

describe('looking', () => {
  it('has one look on its way, and makes the next one for all who came meanwhile', async () => {
    wait();
    wait();
    wait();
    expect(looks).toHaveLength(1);
    expect(looks[0]?.look.waiters).toHaveLength(1);
    await answerLook(1);
    expect(looks).toHaveLength(2);
    expect(looks[1]?.look.waiters).toHaveLength(3);
    await answerLook(2);
    expect(looks).toHaveLength(2);
  });

  it('looks again when it was woken during a look', async () => {
    wait();
    dispatcher.wake();
    await answerLook(1);
    expect(looks).toHaveLength(2);
  });

  it('does not look while nobody waits', async () => {
    dispatcher.wake();
    expect(looks).toHaveLength(0);
  });

  it('rests while more wait than fit into one look and nothing comes', async () => {
    wait();
    for (let i = 0; i < 149; i += 1) wait();
    await answerLook(1);
    await answerLook(2);
    await answerLook(3);
    expect(looks.map(({ look }) => look.waiters.length)).toEqual([1, 100]);
  });

  it('counts what waiters ask for, not only waiters, into the bound of a look', async () => {
    for (let i = 0; i < 5; i += 1) wait({ maxMessages: 1000 });
    await answerLook(1);
    await answerLook(2);
    await answerLook(3);
    expect(looks.map(({ look }) => look.waiters.length)).toEqual([1, 2]);
  });

  it('answers a call that will not wait though a full look of waiters was before it', async () => {
    for (let i = 0; i < 100; i += 1) wait();
    const hurried = wait({ waitMs: 0 });
    await answerLook(1);
    await answerLook(2);
    expect(sequencesOf(hurried)).toEqual([]);
    expect(dispatcher.waiting).toBe(100);
  });

  it('looks on for those behind a full look that served everybody', async () => {
    const waiters = Array.from({ length: 102 }, () => wait());
    await answerLook(1, { handed: [[message(1)]] });
    await answerLook(2, { handed: Array.from({ length: 100 }, (_, i) => [message(i + 2)]) });
    expect(looks[2]?.look.waiters).toHaveLength(1);
    await answerLook(3, { handed: [[message(102)]] });
    expect(waiters.map(sequencesOf)).toEqual(waiters.map((_, i) => [i + 1]));
  });

  it('looks again when the bound on bytes, not the log, ended the look', async () => {
    wait();
    const waiters = [wait(), wait()];
    await answerLook(1, { handed: [[message(1)]] });
    await answerLook(2, { handed: [[message(2, BYTES_MAX)], []] });
    expect(looks).toHaveLength(3);
    await answerLook(3, { handed: [[message(3)]] });
    expect(waiters.map(sequencesOf)).toEqual([[2], [3]]);
  });

  it('gives each waiter what it was handed, with a nonce of its own', async () => {
    wait();
    const waiters = [wait(), wait()];
    await answerLook(1, { handed: [[message(1)]] });
    await answerLook(2, { handed: [[message(2), message(3)], [message(4)]] });
    expect(waiters.map(sequencesOf)).toEqual([[2, 3], [4]]);
    const nonces = looks.flatMap(({ look }) => look.waiters.map(({ nonce }) => nonce));
    expect(new Set(nonces).size).toBe(3);
    expect(waiters[1]?.answer).toMatchObject({ nonce: nonces[2] });
  });

  it('tells the waiters of a failed look, and goes on for the others', async () => {
    const failed = wait();
    const other = wait();
    looks[0]?.fail(new Error('no database'));
    await vi.advanceTimersByTimeAsync(0);
    expect(failed.error).toMatchObject({ message: 'no database' });
    await answerLook(2, { handed: [[message(1)]] });
    expect(sequencesOf(other)).toEqual([1]);
  });

  it('tells everybody that the subscription is gone', async () => {
    const waiters = Array.from({ length: 120 }, () => wait());
    await answerLook(1, { outcome: 'subscription_not_found', checkedAt: null });
    await answerLook(2, { outcome: 'subscription_not_found', checkedAt: null });
    await answerLook(3, { outcome: 'subscription_not_found', checkedAt: null });
    expect(new Set(waiters.map(sequencesOf))).toEqual(new Set(['gone']));
  });
});

describe('the end of a wait', () => {
  it('is an empty answer when the time is over, not earlier', async () => {
    const waiter = wait({ waitMs: 1000 });
    await answerLook(1);
    await vi.advanceTimersByTimeAsync(999);
    expect(sequencesOf(waiter)).toBeNull();
    await vi.advanceTimersByTimeAsync(6);
    expect(sequencesOf(waiter)).toEqual([]);
    expect(dispatcher.waiting).toBe(0);
  });

  it('waits for a look that is on its way, and gives what that brings', async () => {
    const waiter = wait({ waitMs: 1000 });
    await vi.advanceTimersByTimeAsync(2000);
    expect(sequencesOf(waiter)).toBeNull();
    await answerLook(1, { handed: [[message(1)]] });
    expect(sequencesOf(waiter)).toEqual([1]);
    expect(handedBack).toEqual([]);
  });

  it('never asks for a client that left while it was parked', async () => {
    const waiter = wait();
    await answerLook(1);
    waiter.client.abort();
    dispatcher.wake();
    await vi.advanceTimersByTimeAsync(0);
    expect(looks).toHaveLength(1);
    expect(dispatcher.waiting).toBe(0);
  });

  it('never asks for a client that left before it came here', async () => {
    const client = new AbortController();
    client.abort();
    const row = { maxMessages: 1, maxBytes: 1, visibilityTimeoutSeconds: null, principal: 'p', receiveKey: null };
    await dispatcher.wait({ ...row, owner: null, waitMs: 1000, signal: client.signal, onLost: () => {} });
    expect(looks).toHaveLength(0);
  });

  it('hands back what a look brings for a client that left during it', async () => {
    const waiter = wait();
    waiter.client.abort();
    await answerLook(1, { handed: [[message(7), message(8)]] });
    expect(handedBack).toEqual([7, 8]);
  });

  it('comes for everybody on a stop', async () => {
    const waiters = [wait(), wait()];
    await answerLook(1);
    await answerLook(2);
    dispatcher.stop();
    await vi.advanceTimersByTimeAsync(0);
    expect(waiters.map(sequencesOf)).toEqual([[], []]);
  });

  it('leaves no timer behind', async () => {
    wait();
    await answerLook(1, { nextAt: new Date(Date.now() + 700) });
    dispatcher.stop();
    dispatcher.wakeIn(500);
    expect(vi.getTimerCount()).toBe(0);
  });
});

describe('what is due later', () => {
  it('is looked for when the look said it would be there', async () => {
    wait();
    await answerLook(1, { nextAt: new Date(Date.now() + 700) });
    await vi.advanceTimersByTimeAsync(690);
    expect(looks).toHaveLength(1);
    await vi.advanceTimersByTimeAsync(20);
    expect(looks).toHaveLength(2);
  });

  it('is looked for at the earliest of several moments', async () => {
    wait();
    await answerLook(1);
    dispatcher.wakeIn(500);
    dispatcher.wakeIn(100);
    dispatcher.wakeIn(900);
    await vi.advanceTimersByTimeAsync(110);
    expect(looks).toHaveLength(2);
    await answerLook(2);
    await vi.advanceTimersByTimeAsync(2000);
    expect(looks).toHaveLength(2);
  });
});

describe('floors', () => {
  it('begins without, and then stays behind the last look that drained what was due, by more than a statement may run', async () => {
    const checkedAt = new Date('2030-01-01T00:01:00Z');
    wait();
    expect(looks[0]?.look).toMatchObject({ deferredFloor: null, leaseFloor: 0 });
    await answerLook(1, { checkedAt, leaseFloor: 42 });
    dispatcher.wake();
    const floor = looks[1]?.look.deferredFloor?.getTime();
    expect(floor).toBeLessThan(checkedAt.getTime() - STATEMENT_MS_MAX);
    expect(floor).toBeGreaterThan(checkedAt.getTime() - 60_000);
    expect(looks[1]?.look.leaseFloor).toBe(42);
  });

  it('keeps the floor when a look left something that was due', async () => {
    wait();
    await answerLook(1, { deferredDrained: false });
    dispatcher.wake();
    expect(looks[1]?.look.deferredFloor).toBeNull();
  });

  it('looks at everything again after a minute', async () => {
    wait({ waitMs: 200_000 });
    await answerLook(1);
    dispatcher.wake();
    expect(looks[1]?.look.deferredFloor).not.toBeNull();
    await answerLook(2);
    await vi.advanceTimersByTimeAsync(61_000);
    dispatcher.wake();
    expect(looks[2]?.look.deferredFloor).toBeNull();
  });
});

describe('while the instance holds as much as it may', () => {
  const fill = (owner: string | null, bytes: number) => {
    const held = byteBudget.reserve(owner, { usesReserve: false });
    held.add(bytes);
    return held;
  };

  it('looks for nobody, and goes on as soon as there is room', async () => {
    const held = fill(null, BUDGET_BYTES);
    const waiter = wait();
    dispatcher.wake();
    expect(looks).toHaveLength(0);
    held.release();
    expect(looks).toHaveLength(1);
    await answerLook(1, { handed: [[message(7)]] });
    expect(waiter.answer).toMatchObject({ messages: [{ sequence: 7 }] });
  });

  it('answers empty whose time is over, and who did not want to wait', async () => {
    fill(null, BUDGET_BYTES);
    const waiters = [wait({ waitMs: 1000 }), wait({ waitMs: 0 })];
    await vi.advanceTimersByTimeAsync(1010);
    expect(waiters.map(({ answer }) => answer)).toMatchObject([{ messages: [] }, { messages: [] }]);
    expect(looks).toHaveLength(0);
  });

  it('passes over the waiters of a key that holds its share, until it has let go of some', async () => {
    const held = fill('wk_1', BUDGET_BYTES / 4);
    const full = wait({ owner: 'wk_1' });
    const other = wait({ owner: 'wk_2' });
    await answerLook(1);
    expect(looks[0]?.look.waiters).toHaveLength(1);
    dispatcher.wake();
    await answerLook(2, { handed: [[message(1)]] });
    expect([full.answer, other.answer]).toMatchObject([null, { messages: [{ sequence: 1 }] }]);
    expect(looks).toHaveLength(2);
    held.release();
    await answerLook(3, { handed: [[message(2)]] });
    expect(full.answer).toMatchObject({ messages: [{ sequence: 2 }] });
  });

  it('expects of a look what the last one brought', async () => {
    wait();
    expect(looks[0]?.look.expectedBytes).toBe(65_536);
    await answerLook(1, { handed: [[message(1, 3_000_000)]] });
    wait();
    await expect.poll(() => looks[1]?.look.expectedBytes).toBe(3_000_000);
  });

  it('lets large answers be counted before it looks again', async () => {
    wait();
    wait();
    await answerLook(1, { handed: [[message(1, 3_000_000)], []] });
    wait();
    expect(looks).toHaveLength(1);
    await expect.poll(() => looks).toHaveLength(2);
  });
});
