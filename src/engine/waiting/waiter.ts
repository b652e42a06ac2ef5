// Waiter: one receive at a dispatcher, as a state machine.
//
//   state   | ask   | expire | leave | find | findNothing | refuse |
//   --------+-------+--------+-------+------+-------------+--------+
//   urgent  | last  | done   | done  |      | done        | done   | not to wait, not asked for yet
//   new     | asked | done   | done  |      | parked      | done   | waits; not asked for yet
//   parked  | asked | done   | done  |      |             |        | nothing was found; waits on
//   asked   |       | last   | left  | done | parked      | done   | in the query on its way
//   last    |       |        | left  | done | done        | done   | the same, and its time is over
//   left    |       |        |       | done | done        | done   | the same; its client is gone
//   done    |       |        |       |      |             |        |
//
// It is answered when it becomes `left` or `done`. What a query finds for one that left is lost,
// and released. `expire`: the time is over, the instance stops, or a repetition takes its place.

import type { WaiterRow } from '../../store/deliveries.ts';
import type { HandedMessage } from '../../store/packing/handed-messages.ts';
import type { ByteOwner } from '../fair-use/byte-budget.ts';
import type { CallerSignal } from './abort-signal.ts';

export type WaiterState = 'urgent' | 'new' | 'parked' | 'asked' | 'last' | 'left' | 'done';

/** `refuse`: the database is unavailable, the query failed, or the subscription is gone. */
export type WaiterEvent = 'ask' | 'expire' | 'leave' | 'find' | 'findNothing' | 'refuse';

/** The states after an event; where there is none, the event changes nothing. */
const transitions: Record<WaiterState, Partial<Record<WaiterEvent, WaiterState>>> = {
  urgent: { ask: 'last', expire: 'done', leave: 'done', findNothing: 'done', refuse: 'done' },
  new: { ask: 'asked', expire: 'done', leave: 'done', findNothing: 'parked', refuse: 'done' },
  parked: { ask: 'asked', expire: 'done', leave: 'done' },
  asked: { expire: 'last', leave: 'left', find: 'done', findNothing: 'parked', refuse: 'done' },
  last: { leave: 'left', find: 'done', findNothing: 'done', refuse: 'done' },
  left: { find: 'done', findNothing: 'done', refuse: 'done' },
  done: {},
};

export function nextState(state: WaiterState, event: WaiterEvent): WaiterState {
  return transitions[state][event] ?? state;
}

export function isAnswered(state: WaiterState): boolean {
  return state === 'left' || state === 'done';
}

export interface SubscriptionIds {
  readonly topicId: number;
  readonly subscriptionId: number;
}

/** Messages that were delivered, and the parts of their receipts. */
export interface Handed {
  readonly messages: readonly HandedMessage[];
  readonly ids: SubscriptionIds;
  readonly nonce: bigint;
}

/** Messages, or none when the time is over; `gone` when the subscription was deleted. */
export type WaiterAnswer = Handed | 'gone';

export interface WaiterRequest extends Omit<WaiterRow, 'nonce'> {
  /** Whose bytes the answer will be. */
  readonly owner: ByteOwner;
  /** 0: does not wait. */
  readonly waitMs: number;
  readonly signal: CallerSignal;
  /** Gets what a query found for a client that had gone meanwhile. */
  readonly onLost: (handed: Handed, row: WaiterRow) => void;
}

export interface Waiter {
  readonly row: WaiterRow;
  readonly owner: ByteOwner;
  readonly resolve: (answer: WaiterAnswer) => void;
  readonly reject: (error: unknown) => void;
  readonly onLost: WaiterRequest['onLost'];
  state: WaiterState;
  timer: NodeJS.Timeout | null;
}

/** The waiter's timer is not set yet. */
export function createWaiter(
  { maxMessages, maxBytes, visibilityTimeoutSeconds, principal, receiveKey, owner, onLost, waitMs }: WaiterRequest,
  nonce: bigint,
  { resolve, reject }: Pick<Waiter, 'resolve' | 'reject'>,
): Waiter {
  return {
    row: { maxMessages, maxBytes, visibilityTimeoutSeconds, principal, receiveKey, nonce },
    owner,
    resolve,
    reject,
    onLost,
    state: waitMs > 0 ? 'new' : 'urgent',
    timer: null,
  };
}
