// The dispatcher of one subscription, with looks that the test answers by hand and a clock that it sets.

import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { WillcallError } from '../../src/domain/errors.ts';
import { Dispatcher, type Look, type WaiterAnswer } from '../../src/engine/dispatcher.ts';
import { TimerWheel } from '../../src/engine/timer-wheel.ts';
import { Traffic } from '../../src/engine/traffic.ts';
import type { HandedMessage, ReceiveOutcome } from '../../src/store/deliveries.ts';

const BYTES_MAX = 1000;
const TRAFFIC_BYTES = 100_000;
/** As the store bounds each. */
const STATEMENT_MS_MAX = 10_000;

interface PendingLook {
  look: Look;
  answer: (outcome: Partial<ReceiveOutcome>) => void;
  fail: (error: Error) => void;
}

let looks: PendingLook[];
let handedBack: number[];
let dispatcher: Dispatcher;
let traffic: Traffic;
/** Who is called when the database is back; null while it is there. */
let away: Set<() => void> | null;

beforeEach(() => {
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'performance', 'Date'] });
  looks = [];
  handedBack = [];
  traffic = new Traffic({ bytesMax: TRAFFIC_BYTES });
  away = null;
  dispatcher = new Dispatcher({
    wheel: new TimerWheel(5),
    traffic,
    reach: {
      isThere: (goOn) => away?.add(goOn) === undefined,
      refuse: () => new WillcallError('database_unavailable', 'away'),
    },
    hears: () => false,
    bytesMax: BYTES_MAX,
    receive: (look) => {
      const { promise, resolve, reject } = Promise.withResolvers<ReceiveOutcome>();
      looks.push({ look, answer: (outcome) => resolve({ ...nothing(), ...outcome }), fail: reject });
      return promise;
    },
    handBack: (messages) => handedBack.push(...messages.map((message) => message.sequence)),
  });
});
afterEach(() => vi.useRealTimers());

function nothing(): ReceiveOutcome {
  return {
    outcome: 'received',
    checkedAt: new Date(),
    deferredDrained: true,
    snapshot: null,
    transactionNo: null,
    inFlightFull: false,
    leaseFloor: 1,
    nextAt: null,
    handed: [],
  };
}

function message(sequence: number, bytes = 1): HandedMessage {
  return { sequence, body: Buffer.alloc(bytes) } as HandedMessage;
}

/** A waiter, and what it was answered so far. */
function wait(fields: { waitMs?: number; maxMessages?: number; holder?: string | null } = {}) {
  const client = new AbortController();
  const state = { answer: null as WaiterAnswer | null, error: null as unknown, client };
  const row = { maxMessages: 10, maxBytes: 1000, visibilityTimeoutSeconds: null, principal: 'p', receiveKey: null };
  dispatcher.wait({ ...row, holder: null, waitMs: 20_000, ...fields, signal: client.signal }).then(
    (answer) => {
      state.answer = answer;
    },
    (error: unknown) => {
      state.error = error;
    },
  );
  return state;
}

/** Answers the look of that number, and lets everything that follows from it happen. */
async function answerLook(number: number, outcome: Partial<ReceiveOutcome> = {}): Promise<void> {
  looks[number - 1]?.answer(outcome);
  await vi.advanceTimersByTimeAsync(0);
}

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
    await dispatcher.wait({ ...row, holder: null, waitMs: 1000, signal: client.signal });
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
  const fill = (holder: string | null, bytes: number) => {
    const held = traffic.enter(holder, { makesRoom: false });
    held.add(bytes);
    return held;
  };

  it('looks for nobody, and goes on as soon as there is room', async () => {
    const held = fill(null, TRAFFIC_BYTES);
    const waiter = wait();
    dispatcher.wake();
    expect(looks).toHaveLength(0);
    held.release();
    expect(looks).toHaveLength(1);
    await answerLook(1, { handed: [[message(7)]] });
    expect(waiter.answer).toMatchObject({ messages: [{ sequence: 7 }] });
  });

  it('answers empty whose time is over, and who did not want to wait', async () => {
    fill(null, TRAFFIC_BYTES);
    const waiters = [wait({ waitMs: 1000 }), wait({ waitMs: 0 })];
    await vi.advanceTimersByTimeAsync(1010);
    expect(waiters.map(({ answer }) => answer)).toMatchObject([{ messages: [] }, { messages: [] }]);
    expect(looks).toHaveLength(0);
  });

  it('passes over the waiters of a key that holds its share, until it has let go of some', async () => {
    const held = fill('wk_1', TRAFFIC_BYTES / 4);
    const full = wait({ holder: 'wk_1' });
    const other = wait({ holder: 'wk_2' });
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

describe('while the database is away', () => {
  const park = async (count: number) => {
    const waiters = Array.from({ length: count }, () => wait());
    // The first look was for the first of them alone.
    for (let number = 1; number <= looks.length; number += 1) await answerLook(number);
    return waiters;
  };
  const code = ({ error }: { error: unknown }) => (error instanceof WillcallError ? error.code : null);

  it('those stay parked for whom it has looked, and are answered empty at the end of their time', async () => {
    const [parked] = await park(1);
    away = new Set();
    dispatcher.wake();
    await vi.advanceTimersByTimeAsync(19_000);
    expect([parked?.answer, parked?.error]).toEqual([null, null]);
    await vi.advanceTimersByTimeAsync(1_100);
    expect(parked?.answer).toMatchObject({ messages: [] });
    expect(looks).toHaveLength(1);
  });

  it('those who come are refused at once, without a look', async () => {
    await park(1);
    away = new Set();
    const late = [wait(), wait({ waitMs: 0 })];
    await vi.advanceTimersByTimeAsync(0);
    expect(late.map(code)).toEqual(['database_unavailable', 'database_unavailable']);
    expect([looks.length, dispatcher.waiting]).toEqual([1, 1]);
  });

  it('those are refused whose look was on its way, or who had none yet', async () => {
    const parked = await park(1);
    // As many as one look is for, and one more.
    const asked = Array.from({ length: 100 }, () => wait());
    await vi.advanceTimersByTimeAsync(0);
    expect(looks).toHaveLength(2);
    away = new Set();
    looks[1]?.fail(new WillcallError('database_unavailable', 'away'));
    await vi.advanceTimersByTimeAsync(0);
    expect(asked.map(code)).toEqual(Array(100).fill('database_unavailable'));
    expect(parked.length).toBe(1);
    expect(looks).toHaveLength(2);
  });

  it('one look is enough for all of them once it is back', async () => {
    const parked = await park(100);
    away = new Set();
    for (let i = 0; i < 50; i += 1) dispatcher.wake();
    const goOns = [...away];
    const before = looks.length;
    away = null;
    for (const goOn of goOns) goOn();
    // And the wakeup of those who lost their connection comes on top.
    dispatcher.wake();
    expect([goOns.length, looks.length]).toEqual([1, before + 1]);
    await answerLook(before + 1, { handed: parked.map((_, i) => [message(i + 1)]) });
    expect(parked.map(({ answer }) => answer === null)).toEqual(Array(100).fill(false));
  });
});
