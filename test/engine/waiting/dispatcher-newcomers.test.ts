// Who comes while it is known that there is nothing is parked without a query: thousands of clients
// that ask again every half minute would otherwise cost a query each time.

import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { WillcallError } from '../../../src/domain/errors.ts';
import { ByteBudget } from '../../../src/engine/fair-use/byte-budget.ts';
import { Dispatcher } from '../../../src/engine/waiting/dispatcher.ts';
import type { HandedMessage } from '../../../src/store/packing/handed-messages.ts';
import { createRandom64 } from '../../../src/store/postgres/random.ts';

const WAIT_MS = 20_000;

let queries: number;
/** What the next query brings. */
let found: HandedMessage[];
let listening: boolean;
let away: boolean;
let dispatcher: Dispatcher;

beforeEach(async () => {
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'performance', 'Date'] });
  queries = 0;
  found = [];
  listening = true;
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
    isListening: () => listening,
    bytesMax: 1_000_000,
    receive: async ({ waiters }) => {
      queries += 1;
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

/** One is parked, for whom a query found nothing. */
async function parkOne() {
  const parked = wait();
  await settle();
  expect([queries, dispatcher.waiting]).toEqual([1, 1]);
  return parked;
}

describe('who comes to wait', () => {
  it('is parked without a query beside one for whom a query found nothing, and woken with it', async () => {
    const parked = await parkOne();
    const newcomer = wait();
    await settle();
    expect([queries, dispatcher.waiting]).toEqual([1, 2]);
    found = [{ sequence: 1, body: Buffer.alloc(1) } as HandedMessage];
    dispatcher.wake();
    await settle();
    expect([parked.messages, newcomer.messages]).toEqual([1, null]);
    found = [{ sequence: 2, body: Buffer.alloc(1) } as HandedMessage];
    dispatcher.wake();
    await settle();
    expect(newcomer.messages).toBe(1);
  });

  it('is parked without a query when it comes again right after its empty answer', async () => {
    const parked = await parkOne();
    await settle(WAIT_MS + 100);
    expect(parked.messages).toBe(0);
    for (let round = 0; round < 3; round += 1) {
      const again = wait();
      await settle(WAIT_MS + 100);
      expect(again.messages).toBe(0);
    }
    expect(queries).toBe(1);
  });

  it.each<[string, (() => unknown) | null, { waitMs?: number; receiveKey?: string }]>([
    ['when nobody has waited for a while', () => settle(WAIT_MS + 5_000), {}],
    ['when something came while nobody waited', () => settle(WAIT_MS + 100).then(() => dispatcher.wake()), {}],
    [
      'while no notifications of other instances arrive',
      () => {
        listening = false;
      },
      {},
    ],
    ['when it asks again for an answer that it lost', null, { receiveKey: 'p\nk' }],
    ['when it does not wait', null, { waitMs: 0 }],
  ])('is queried for %s', async (_when, happen, request) => {
    await parkOne();
    await happen?.();
    wait(request);
    await settle();
    expect(queries).toBe(2);
  });

  it('is queried for when the last one got messages', async () => {
    await parkOne();
    found = [{ sequence: 1, body: Buffer.alloc(1) } as HandedMessage];
    dispatcher.wake();
    await settle();
    wait();
    await settle();
    expect(queries).toBeGreaterThan(2);
  });

  it('is queried for when the last one got messages a moment after others had waited in vain', async () => {
    await parkOne();
    await settle(WAIT_MS + 100);
    const served = wait();
    await settle();
    expect(queries).toBe(1);
    found = [{ sequence: 1, body: Buffer.alloc(1) } as HandedMessage];
    dispatcher.wake();
    await settle();
    expect([served.messages, queries]).toEqual([1, 2]);
    // There may be more than it had room for.
    wait();
    await settle();
    expect(queries).toBe(3);
  });

  it('is refused while the database is away', async () => {
    await parkOne();
    away = true;
    const newcomer = wait();
    await settle();
    expect(newcomer.error).toMatchObject({ code: 'database_unavailable' });
  });
});
