// The dispatcher of one subscription: when it queries, for whom, and what becomes of those who
// wait.

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

let queries: DispatcherBench['queries'];
let handedBack: DispatcherBench['handedBack'];
let dispatcher: DispatcherBench['dispatcher'];
let byteBudget: DispatcherBench['byteBudget'];
let wait: DispatcherBench['wait'];
let answerQuery: DispatcherBench['answerQuery'];

beforeEach(() => {
  ({ queries, handedBack, dispatcher, byteBudget, wait, answerQuery } = openDispatcherBench());
});
afterEach(() => vi.useRealTimers());

function sequencesOf(waiter: { answer: WaiterAnswer | null }): number[] | 'gone' | null {
  if (waiter.answer === null || waiter.answer === 'gone') return waiter.answer;
  return waiter.answer.messages.map(({ sequence }) => sequence);
}

describe('querying', () => {
  it('has one query on its way, and makes the next one for all who came meanwhile', async () => {
    wait();
    wait();
    wait();
    expect(queries).toHaveLength(1);
    expect(queries[0]?.query.waiters).toHaveLength(1);
    await answerQuery(1);
    expect(queries).toHaveLength(2);
    expect(queries[1]?.query.waiters).toHaveLength(3);
    await answerQuery(2);
    expect(queries).toHaveLength(2);
  });

  it('queries again when it was woken during a query', async () => {
    wait();
    dispatcher.wake();
    await answerQuery(1);
    expect(queries).toHaveLength(2);
  });

  it('does not query while nobody waits', async () => {
    dispatcher.wake();
    expect(queries).toHaveLength(0);
  });

  it('rests while more wait than fit into one query and nothing comes', async () => {
    wait();
    for (let i = 0; i < 149; i += 1) wait();
    await answerQuery(1);
    await answerQuery(2);
    await answerQuery(3);
    expect(queries.map(({ query }) => query.waiters.length)).toEqual([1, 100]);
  });

  it('counts what waiters ask for, not only waiters, into the bound of a query', async () => {
    for (let i = 0; i < 5; i += 1) wait({ maxMessages: 1000 });
    await answerQuery(1);
    await answerQuery(2);
    await answerQuery(3);
    expect(queries.map(({ query }) => query.waiters.length)).toEqual([1, 2]);
  });

  it('answers a call that will not wait though a full query of waiters was before it', async () => {
    for (let i = 0; i < 100; i += 1) wait();
    const hurried = wait({ waitMs: 0 });
    await answerQuery(1);
    await answerQuery(2);
    expect(sequencesOf(hurried)).toEqual([]);
    expect(dispatcher.waiting).toBe(100);
  });

  it('queries on for those behind a full query that served everybody', async () => {
    const waiters = Array.from({ length: 102 }, () => wait());
    await answerQuery(1, { handed: [[message(1)]] });
    await answerQuery(2, { handed: Array.from({ length: 100 }, (_, i) => [message(i + 2)]) });
    expect(queries[2]?.query.waiters).toHaveLength(1);
    await answerQuery(3, { handed: [[message(102)]] });
    expect(waiters.map(sequencesOf)).toEqual(waiters.map((_, i) => [i + 1]));
  });

  it('queries again when the bound on bytes, not the log, ended the query', async () => {
    wait();
    const waiters = [wait(), wait()];
    await answerQuery(1, { handed: [[message(1)]] });
    await answerQuery(2, { handed: [[message(2, BYTES_MAX)], []] });
    expect(queries).toHaveLength(3);
    await answerQuery(3, { handed: [[message(3)]] });
    expect(waiters.map(sequencesOf)).toEqual([[2], [3]]);
  });

  it('gives each waiter what it was handed, with a nonce of its own', async () => {
    wait();
    const waiters = [wait(), wait()];
    await answerQuery(1, { handed: [[message(1)]] });
    await answerQuery(2, { handed: [[message(2), message(3)], [message(4)]] });
    expect(waiters.map(sequencesOf)).toEqual([[2, 3], [4]]);
    const nonces = queries.flatMap(({ query }) => query.waiters.map(({ nonce }) => nonce));
    expect(new Set(nonces).size).toBe(3);
    expect(waiters[1]?.answer).toMatchObject({ nonce: nonces[2] });
  });

  it('tells the waiters of a failed query, and goes on for the others', async () => {
    const failed = wait();
    const other = wait();
    queries[0]?.fail(new Error('no database'));
    await vi.advanceTimersByTimeAsync(0);
    expect(failed.error).toMatchObject({ message: 'no database' });
    await answerQuery(2, { handed: [[message(1)]] });
    expect(sequencesOf(other)).toEqual([1]);
  });

  it('tells everybody that the subscription is gone', async () => {
    const waiters = Array.from({ length: 120 }, () => wait());
    await answerQuery(1, { outcome: 'subscription_not_found', checkedAt: null });
    await answerQuery(2, { outcome: 'subscription_not_found', checkedAt: null });
    await answerQuery(3, { outcome: 'subscription_not_found', checkedAt: null });
    expect(new Set(waiters.map(sequencesOf))).toEqual(new Set(['gone']));
  });
});

describe('the end of a wait', () => {
  it('is an empty answer when the time is over, not earlier', async () => {
    const waiter = wait({ waitMs: 1000 });
    await answerQuery(1);
    await vi.advanceTimersByTimeAsync(999);
    expect(sequencesOf(waiter)).toBeNull();
    await vi.advanceTimersByTimeAsync(6);
    expect(sequencesOf(waiter)).toEqual([]);
    expect(dispatcher.waiting).toBe(0);
  });

  it('waits for a query that is on its way, and gives what that brings', async () => {
    const waiter = wait({ waitMs: 1000 });
    await vi.advanceTimersByTimeAsync(2000);
    expect(sequencesOf(waiter)).toBeNull();
    await answerQuery(1, { handed: [[message(1)]] });
    expect(sequencesOf(waiter)).toEqual([1]);
    expect(handedBack).toEqual([]);
  });

  it('never asks for a client that left while it was parked', async () => {
    const waiter = wait();
    await answerQuery(1);
    waiter.client.abort();
    dispatcher.wake();
    await vi.advanceTimersByTimeAsync(0);
    expect(queries).toHaveLength(1);
    expect(dispatcher.waiting).toBe(0);
  });

  it('never asks for a client that left before it came here', async () => {
    const client = new AbortController();
    client.abort();
    const row = { maxMessages: 1, maxBytes: 1, visibilityTimeoutSeconds: null, principal: 'p', receiveKey: null };
    await dispatcher.wait({ ...row, owner: null, waitMs: 1000, signal: client.signal, onLost: () => {} });
    expect(queries).toHaveLength(0);
  });

  it('hands back what a query brings for a client that left during it', async () => {
    const waiter = wait();
    waiter.client.abort();
    await answerQuery(1, { handed: [[message(7), message(8)]] });
    expect(handedBack).toEqual([7, 8]);
  });

  it('comes for everybody on a stop', async () => {
    const waiters = [wait(), wait()];
    await answerQuery(1);
    await answerQuery(2);
    dispatcher.stop();
    await vi.advanceTimersByTimeAsync(0);
    expect(waiters.map(sequencesOf)).toEqual([[], []]);
  });

  it('leaves no timer behind', async () => {
    wait();
    await answerQuery(1, { nextAt: new Date(Date.now() + 700) });
    dispatcher.stop();
    dispatcher.wakeIn(500);
    expect(vi.getTimerCount()).toBe(0);
  });
});

describe('what is due later', () => {
  it('is queried for when the query said it would be there', async () => {
    wait();
    await answerQuery(1, { nextAt: new Date(Date.now() + 700) });
    await vi.advanceTimersByTimeAsync(690);
    expect(queries).toHaveLength(1);
    await vi.advanceTimersByTimeAsync(20);
    expect(queries).toHaveLength(2);
  });

  it('is queried for at the earliest of several moments', async () => {
    wait();
    await answerQuery(1);
    dispatcher.wakeIn(500);
    dispatcher.wakeIn(100);
    dispatcher.wakeIn(900);
    await vi.advanceTimersByTimeAsync(110);
    expect(queries).toHaveLength(2);
    await answerQuery(2);
    await vi.advanceTimersByTimeAsync(2000);
    expect(queries).toHaveLength(2);
  });
});

describe('floors', () => {
  it('begins without, and then stays behind the last query that drained what was due, by more than a statement may run', async () => {
    const checkedAt = new Date('2030-01-01T00:01:00Z');
    wait();
    expect(queries[0]?.query).toMatchObject({ deferredFloor: null, leaseFloor: 0 });
    await answerQuery(1, { checkedAt, leaseFloor: 42 });
    dispatcher.wake();
    const floor = queries[1]?.query.deferredFloor?.getTime();
    expect(floor).toBeLessThan(checkedAt.getTime() - STATEMENT_MS_MAX);
    expect(floor).toBeGreaterThan(checkedAt.getTime() - 60_000);
    expect(queries[1]?.query.leaseFloor).toBe(42);
  });

  it('keeps the floor when a query left something that was due', async () => {
    wait();
    await answerQuery(1, { deferredDrained: false });
    dispatcher.wake();
    expect(queries[1]?.query.deferredFloor).toBeNull();
  });

  it('queries everything again after a minute', async () => {
    wait({ waitMs: 200_000 });
    await answerQuery(1);
    dispatcher.wake();
    expect(queries[1]?.query.deferredFloor).not.toBeNull();
    await answerQuery(2);
    await vi.advanceTimersByTimeAsync(61_000);
    dispatcher.wake();
    expect(queries[2]?.query.deferredFloor).toBeNull();
  });
});

describe('while the instance holds as much as it may', () => {
  const fill = (owner: string | null, bytes: number) => {
    const held = byteBudget.reserve(owner, { usesReserve: false });
    held.add(bytes);
    return held;
  };

  it('queries for nobody, and goes on as soon as there is room', async () => {
    const held = fill(null, BUDGET_BYTES);
    const waiter = wait();
    dispatcher.wake();
    expect(queries).toHaveLength(0);
    held.release();
    expect(queries).toHaveLength(1);
    await answerQuery(1, { handed: [[message(7)]] });
    expect(waiter.answer).toMatchObject({ messages: [{ sequence: 7 }] });
  });

  it('answers empty whose time is over, and who did not want to wait', async () => {
    fill(null, BUDGET_BYTES);
    const waiters = [wait({ waitMs: 1000 }), wait({ waitMs: 0 })];
    await vi.advanceTimersByTimeAsync(1010);
    expect(waiters.map(({ answer }) => answer)).toMatchObject([{ messages: [] }, { messages: [] }]);
    expect(queries).toHaveLength(0);
  });

  it('passes over the waiters of a key that holds its share, until it has let go of some', async () => {
    const held = fill('wk_1', BUDGET_BYTES / 4);
    const full = wait({ owner: 'wk_1' });
    const other = wait({ owner: 'wk_2' });
    await answerQuery(1);
    expect(queries[0]?.query.waiters).toHaveLength(1);
    dispatcher.wake();
    await answerQuery(2, { handed: [[message(1)]] });
    expect([full.answer, other.answer]).toMatchObject([null, { messages: [{ sequence: 1 }] }]);
    expect(queries).toHaveLength(2);
    held.release();
    await answerQuery(3, { handed: [[message(2)]] });
    expect(full.answer).toMatchObject({ messages: [{ sequence: 2 }] });
  });

  it('expects of a query what the last one brought', async () => {
    wait();
    expect(queries[0]?.query.expectedBytes).toBe(65_536);
    await answerQuery(1, { handed: [[message(1, 3_000_000)]] });
    wait();
    await expect.poll(() => queries[1]?.query.expectedBytes).toBe(3_000_000);
  });

  it('lets large answers be counted before it queries again', async () => {
    wait();
    wait();
    await answerQuery(1, { handed: [[message(1, 3_000_000)], []] });
    wait();
    expect(queries).toHaveLength(1);
    await expect.poll(() => queries).toHaveLength(2);
  });
});
