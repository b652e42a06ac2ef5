// Short forms of engine calls, for tests that are about one of their many fields.

import type { ErrorCode } from '../../src/domain/errors.ts';
import { WillcallError } from '../../src/domain/errors.ts';
import type { NewMessage, ReceivedMessage } from '../../src/domain/message.ts';
import type { ConsumerError, SettleAnswer } from '../../src/domain/settling.ts';
import type { Engine } from '../../src/engine/index.ts';
import type { ReceiveRequest } from '../../src/engine/receive.ts';
import type { SubscriptionChanges } from '../../src/engine/subscriptions.ts';

export const CALLER = 'test';

/** A message with these bytes or this text as its body. */
export function newMessage(body: string | Buffer, fields: Partial<NewMessage> = {}): NewMessage {
  return {
    body: Buffer.from(body),
    ...{ contentType: null, attributes: null, orderingKey: null, dedupeKey: null, delaySeconds: null, deliverAt: null },
    ...fields,
  };
}

export interface Queue {
  /** Of the topic and of its one subscription. */
  readonly name: string;
  readonly topicId: number;
  readonly subscriptionId: number;
  publish(...bodies: (string | NewMessage)[]): Promise<string[]>;
  /** At once, unless `waitSeconds` says otherwise. */
  receive(fields?: Partial<ReceiveRequest>): Promise<readonly ReceivedMessage[]>;
  /** The one message that is there. */
  receiveOne(fields?: Partial<ReceiveRequest>): Promise<ReceivedMessage>;
  acknowledge(...receipts: Receipt[]): Promise<SettleAnswer>;
  acknowledgeAtomically(...receipts: Receipt[]): Promise<SettleAnswer>;
  release(receipt: Receipt, fields?: { delaySeconds?: number; error?: ConsumerError }): Promise<SettleAnswer>;
  extend(receipts: readonly Receipt[], visibilityTimeoutSeconds?: number): Promise<SettleAnswer>;
  reject(receipt: Receipt, error?: ConsumerError): Promise<SettleAnswer>;
}

export type Receipt = string | { readonly receipt: string; readonly reference?: string | null };

let names = 0;

/** A name that no other test of the file uses. */
export function freshName(prefix = 'q'): string {
  names += 1;
  return `${prefix}-${names}`;
}

/** Creates a topic with one subscription of the same name. */
export async function createQueue(engine: Engine, settings: SubscriptionChanges = {}): Promise<Queue> {
  const name = freshName();
  const { subscription } = await engine.createSubscription({ name, settings, caller: CALLER });
  return queueOf(engine, name, subscription);
}

/** The same calls on another engine, or on a subscription that is there already. */
export function queueOf(
  engine: Engine,
  name: string,
  { topicId, subscriptionId }: { topicId: number; subscriptionId: number },
  topic = name,
): Queue {
  const receive = async (fields: Partial<ReceiveRequest> = {}) =>
    (await engine.receive({ ...receiveRequest(name), ...fields })).messages;
  const acknowledge = (receipts: Receipt[], atomic: boolean) =>
    engine.acknowledge({ subscription: name, receipts: receipts.map(inputOf), atomic, caller: CALLER });
  return {
    ...{ name, topicId, subscriptionId, receive },
    publish: async (...bodies) => {
      const messages = bodies.map((body) => (typeof body === 'string' ? newMessage(body) : body));
      return (await engine.publish({ topic, messages, caller: CALLER })).map((message) => message.id);
    },
    receiveOne: async (fields = {}) => {
      const messages = await receive(fields);
      const [message] = messages;
      if (message === undefined || messages.length > 1) throw new Error(`expected one message, got ${messages.length}`);
      return message;
    },
    acknowledge: (...receipts) => acknowledge(receipts, false),
    acknowledgeAtomically: (...receipts) => acknowledge(receipts, true),
    release: (
      receipt,
      { delaySeconds = null, error = null }: { delaySeconds?: number | null; error?: ConsumerError | null } = {},
    ) =>
      engine.release({ subscription: name, receipts: [{ ...inputOf(receipt), delaySeconds, error }], caller: CALLER }),
    extend: (receipts, visibilityTimeoutSeconds) =>
      engine.extend({ subscription: name, receipts: receipts.map(inputOf), visibilityTimeoutSeconds, caller: CALLER }),
    reject: (receipt, error) =>
      engine.reject({ subscription: name, receipts: [{ ...inputOf(receipt), error: error ?? null }], caller: CALLER }),
  };
}

/** A receive that answers at once with up to ten messages. */
export function receiveRequest(subscription: string): ReceiveRequest {
  return {
    ...{ subscription, maxMessages: 10, maxBytes: 4 * 1024 * 1024, waitSeconds: 0, acknowledge: [], caller: CALLER },
    signal: new AbortController().signal,
  };
}

/** The outcomes of an answer, in order. */
export function outcomesOf(answer: SettleAnswer): string[] {
  return answer.results.map((result) => result.outcome);
}

/** The code of the fault that the call ends in; throws when it ends well. */
export async function codeOf(call: Promise<unknown>): Promise<ErrorCode> {
  try {
    await call;
  } catch (error) {
    if (error instanceof WillcallError) return error.code;
    throw error;
  }
  throw new Error('the call ended well');
}

function inputOf(receipt: Receipt) {
  return typeof receipt === 'string' ? { receipt, reference: null } : { reference: null, ...receipt };
}
