// The client's calls for messages: publish, receive, acknowledge, release, extend, reject.
// All are repeatable, except a publish with a message that has no dedupe key: when its answer is
// lost, the messages may have been published. A receive carries a key, so that its repetition
// returns the messages of the lost answer.

import { packBody } from './bodies.ts';
import type { Call, Caller, CallOptions } from './calls.ts';
import { WillcallClientError } from './errors.ts';
import { fromWire } from './names.ts';
import type * as api from './types.ts';

/** Outcomes of receipts are values, also when none of them is ok. */
export interface MessageCalls {
  /** Publishes all of the messages or none. */
  publish(topic: string, messages: readonly api.NewMessage[], options?: CallOptions): Promise<api.PublishedMessage[]>;
  receive(
    subscription: string,
    request?: api.ReceiveRequest,
    options?: CallOptions & {
      /** One per batch; needed only to repeat a call by hand. */
      readonly idempotencyKey?: string;
    },
  ): Promise<api.ReceiveAnswer>;
  acknowledge(
    subscription: string,
    receipts: readonly api.AcknowledgeEntry[],
    options?: CallOptions & { readonly atomic?: boolean },
  ): Promise<api.SettleAnswer>;
  release(
    subscription: string,
    receipts: readonly api.ReleaseEntry[],
    options?: CallOptions,
  ): Promise<api.SettleAnswer>;
  extend(
    subscription: string,
    receipts: readonly string[],
    options?: CallOptions & { readonly visibilityTimeoutSeconds?: number },
  ): Promise<api.SettleAnswer>;
  reject(subscription: string, receipts: readonly api.RejectEntry[], options?: CallOptions): Promise<api.SettleAnswer>;
}

/** The default of the service for a receive without `waitSeconds`. */
const WAIT_SECONDS_DEFAULT = 20;

export function createMessageCalls(call: Caller): MessageCalls {
  const settle = async (subscription: string, verb: string, body: object, options: CallOptions | undefined) => {
    const path = ['subscriptions', subscription, verb];
    try {
      return (await call({ method: 'POST', path, body, repeatable: true }, options)) as api.SettleAnswer;
    } catch (error) {
      // 409 has the same content as 200: what became of each receipt.
      const refused = error instanceof WillcallClientError && error.status === 409 ? error.problem : null;
      if (refused?.results === undefined) throw error;
      return fromWire({ results: refused.results, failed: refused.failed }) as api.SettleAnswer;
    }
  };
  return {
    async publish(topic, messages, options) {
      const path = ['topics', topic, 'messages'];
      const body = { messages: messages.map(packBody) };
      const repeatable = messages.every(({ dedupeKey }) => dedupeKey !== undefined);
      const answer = await call({ method: 'POST', path, body, repeatable }, options);
      return (answer as { messages: api.PublishedMessage[] }).messages;
    },
    async receive(subscription, request = {}, { idempotencyKey = crypto.randomUUID(), ...options } = {}) {
      const path = ['subscriptions', subscription, 'receive'];
      const waitSeconds = request.waitSeconds ?? WAIT_SECONDS_DEFAULT;
      const receive: Call = { method: 'POST', path, body: request, idempotencyKey, waitSeconds, repeatable: true };
      return (await call(receive, options)) as api.ReceiveAnswer;
    },
    acknowledge: (subscription, receipts, { atomic, ...options } = {}) =>
      settle(subscription, 'acknowledge', { receipts, atomic }, options),
    release: (subscription, receipts, options) => settle(subscription, 'release', { receipts }, options),
    extend: (subscription, receipts, { visibilityTimeoutSeconds, ...options } = {}) =>
      settle(subscription, 'extend', { receipts, visibilityTimeoutSeconds }, options),
    reject: (subscription, receipts, options) => settle(subscription, 'reject', { receipts }, options),
  };
}
