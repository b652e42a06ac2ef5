// Who comes while it is known that there is nothing is parked without a look: thousands of clients
// that ask again every half minute would otherwise cost a look each time.

import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { WillcallError } from '../../../src/domain/errors.ts';
import { ByteBudget } from '../../../src/engine/fair-use/byte-budget.ts';
import { Dispatcher } from '../../../src/engine/waiting/dispatcher.ts';
import type { HandedMessage } from '../../../src/store/packing/handed-messages.ts';
import { createRandom64 } from '../../../src/store/postgres/random.ts';

const WAIT_MS = 20_000;

let looks: number;
/** What the next look brings. */
let found: HandedMessage[];
let hears: boolean;
let away: boolean;
let dispatcher: Dispatcher;

beforeEach(async () => {
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'performance', 'Date'] });
  looks = 0;
  found = [];
  hears = true;
  away = false;
  dispatcher = new Dispatcher({
    ids: { topicId: 1, subscriptionId: 1 },
    byteBudget: new ByteBudget({ bytesMax: 1_000_000 }),
    newNonce: createRandom64(),
    health: {
      isAvailable: () => !away,
      availableOr: () => !away,
      refuse: () => new WillcallError('database_unavailable', 'away'),
    },
    isListening: () => hears,
    bytesMax: 1_000_000,
    receive: async ({ waiters }) => {
      looks += 1;
      const handed = waiters.map((_, i) => (i === 0 ? found.splice(0) : []));
      return {
        ...{ outcome: 'received', checkedAt: new Date(), deferredDrained: true, snapshot: null, transactionNo: null },
        ...{ inFlightFull: false, leaseFloor: 1, nextAt: null, handed },
      };
    },
  });
});
afterEach(() => vi.useRealTimers());

/** How many messages a waiter was answered with; null while it waits. */
function wait({ waitMs = WAIT_MS, receiveKey = null as string | null } = {}) {
  const state = { messages: null as number | null, error: null as unknown };
  const row = { maxMessages: 10, maxBytes: 1000, visibilityTimeoutSeconds: null, principal: 'p', receiveKey };
  dispatcher.wait({ ...row, owner: null, waitMs, signal: new AbortController().signal, onLost: () => {} }).then(
    (answer) => {
      state.messages = answer === 'gone' ? null : answer.messages.length;
    },
    (error: unknown) => {
      state.error = error;
    },
  );
  return state;
}

const settle = (ms = 0) => vi.advanceTimersByTimeAsync(ms);

/** One is parked, for whom a look found nothing. */
async function parkOne() {
  const parked = wait();
  await settle();
  expect([looks, dispatcher.waiting]).toEqual([1, 1]);
  return parked;
}

describe('who comes to wait', () => {
  it('is parked without a look beside one for whom a look found nothing, and woken with it', async () => {
    const parked = await parkOne();
    const newcomer = wait();
    await settle();
    expect([looks, dispatcher.waiting]).toEqual([1, 2]);
    found = [{ sequence: 1, body: Buffer.alloc(1) } as HandedMessage];
    dispatcher.wake();
    await settle();
    expect([parked.messages, newcomer.messages]).toEqual([1, null]);
    found = [{ sequence: 2, body: Buffer.alloc(1) } as HandedMessage];
    dispatcher.wake();
    await settle();
    expect(newcomer.messages).toBe(1);
  });

  it('is parked without a look when it comes again right after its empty answer', async () => {
    const parked = await parkOne();
    await settle(WAIT_MS + 100);
    expect(parked.messages).toBe(0);
    for (let round = 0; round < 3; round += 1) {
      const again = wait();
      await settle(WAIT_MS + 100);
      expect(again.messages).toBe(0);
    }
    expect(looks).toBe(1);
  });

  it('is looked for when nobody has waited for a while', async () => {
    await parkOne();
    await settle(WAIT_MS + 5_000);
    wait();
    await settle();
    expect(looks).toBe(2);
  });

  it('is looked for when something was heard while nobody waited', async () => {
    await parkOne();
    await settle(WAIT_MS + 100);
    dispatcher.wake();
    wait();
    await settle();
    expect(looks).toBe(2);
  });

  it('is looked for when the last one got messages', async () => {
    await parkOne();
    found = [{ sequence: 1, body: Buffer.alloc(1) } as HandedMessage];
    dispatcher.wake();
    await settle();
    wait();
    await settle();
    expect(looks).toBeGreaterThan(2);
  });

  it('is looked for when the last one got messages a moment after others had waited in vain', async () => {
    await parkOne();
    await settle(WAIT_MS + 100);
    const served = wait();
    await settle();
    expect(looks).toBe(1);
    found = [{ sequence: 1, body: Buffer.alloc(1) } as HandedMessage];
    dispatcher.wake();
    await settle();
    expect([served.messages, looks]).toEqual([1, 2]);
    // There may be more than it had room for.
    wait();
    await settle();
    expect(looks).toBe(3);
  });

  it('is looked for while other instances are not heard', async () => {
    await parkOne();
    hears = false;
    wait();
    await settle();
    expect(looks).toBe(2);
  });

  it('is looked for when it asks again for an answer that it lost', async () => {
    await parkOne();
    wait({ receiveKey: 'p\nk' });
    await settle();
    expect(looks).toBe(2);
  });

  it('is looked for when it does not wait', async () => {
    await parkOne();
    const now = wait({ waitMs: 0 });
    await settle();
    expect([looks, now.messages]).toEqual([2, 0]);
  });

  it('is refused while the database is away', async () => {
    await parkOne();
    away = true;
    const newcomer = wait();
    await settle();
    expect(newcomer.error).toMatchObject({ code: 'database_unavailable' });
  });
});
