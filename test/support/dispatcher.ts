// A dispatcher with queries that the test answers by hand and a clock that it sets.

import { vi } from 'vitest';
import { WillcallError } from '../../src/domain/errors.ts';
import { ByteBudget } from '../../src/engine/fair-use/byte-budget.ts';
import { Dispatcher, type ReceiveQuery } from '../../src/engine/waiting/dispatcher.ts';
import type { WaiterAnswer, WaiterRequest } from '../../src/engine/waiting/waiter.ts';
import type { ReceiveOutcome } from '../../src/store/deliveries.ts';
import type { HandedMessage } from '../../src/store/packing/handed-messages.ts';
import { createRandom64 } from '../../src/store/postgres/random.ts';

export const BYTES_MAX = 1000;
export const BUDGET_BYTES = 100_000;

interface PendingQuery {
  query: ReceiveQuery;
  answer: (outcome: Partial<ReceiveOutcome>) => void;
  fail: (error: Error) => void;
}

interface SettleInput {
  waitMs?: number;
  maxMessages?: number;
  owner?: string | null;
}

export type DispatcherBench = ReturnType<typeof openDispatcherBench>;

/** Sets the clock still; to be called before each test, and `vi.useRealTimers` after it. */
export function openDispatcherBench() {
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'performance', 'Date'] });
  const queries: PendingQuery[] = [];
  const handedBack: number[] = [];
  const byteBudget = new ByteBudget({ bytesMax: BUDGET_BYTES });
  const database = { away: null as Set<() => void> | null };
  const dispatcher = new Dispatcher({
    ids: { topicId: 1, subscriptionId: 1 },
    byteBudget,
    newNonce: createRandom64(),
    health: {
      isAvailable: () => database.away === null,
      availableOr: (resume) => database.away?.add(resume) === undefined,
      refuse: () => new WillcallError('database_unavailable', 'away'),
    },
    isListening: () => false,
    bytesMax: BYTES_MAX,
    receive: (query) => {
      const { promise, resolve, reject } = Promise.withResolvers<ReceiveOutcome>();
      queries.push({ query, answer: (outcome) => resolve({ ...nothing(), ...outcome }), fail: reject });
      return promise;
    },
  });

  /** A waiter, and what it was answered so far. */
  const wait = (fields: SettleInput = {}) => {
    const client = new AbortController();
    const state = { answer: null as WaiterAnswer | null, error: null as unknown, client };
    const row = { maxMessages: 10, maxBytes: 1000, visibilityTimeoutSeconds: null, principal: 'p', receiveKey: null };
    const onLost: WaiterRequest['onLost'] = ({ messages }) => {
      handedBack.push(...messages.map((message) => message.sequence));
    };
    dispatcher.wait({ ...row, owner: null, waitMs: 20_000, ...fields, signal: client.signal, onLost }).then(
      (answer) => {
        state.answer = answer;
      },
      (error: unknown) => {
        state.error = error;
      },
    );
    return state;
  };

  return {
    ...{ queries, handedBack, byteBudget, dispatcher, wait },
    /** Who is called when the database is back; null while it is there. */
    database,
    /** Answers the query of that number, and lets everything that follows from it happen. */
    answerQuery: async (number: number, outcome: Partial<ReceiveOutcome> = {}): Promise<void> => {
      queries[number - 1]?.answer(outcome);
      await vi.advanceTimersByTimeAsync(0);
    },
  };
}

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

export function message(sequence: number, bytes = 1): HandedMessage {
  return { sequence, body: Buffer.alloc(bytes) } as HandedMessage;
}
