// A history in the order in which its rules read it: by topic, by subscription, by the life of one
// message in one subscription, and by receipt. Nothing is judged here.

import { parseReceipt } from '../../src/domain/receipt.ts';
import type {
  Call,
  PublishCall,
  ReceiveCall,
  RecordedMessage,
  RecordedResult,
  SettleCall,
  SettleInput,
} from './history.ts';
import type {
  AcknowledgmentRow,
  DeadLetterRow,
  DeferredRow,
  DeliveryRow,
  FailureRow,
  LeaseRow,
  MessageRow,
  Micros,
  Rows,
  SubscriptionRow,
  TopicRow,
} from './history-rows.ts';

export interface History {
  readonly calls: readonly Call[];
  readonly rows: Rows;
  /**
   * Connections were lost: the service may have published once more, under the same key, what it
   * was asked once.
   */
  readonly disturbed?: boolean;
}

export interface TopicBook {
  readonly topic: TopicRow;
  readonly messages: readonly MessageRow[];
  readonly publishes: readonly PublishCall[];
  readonly disturbed: boolean;
}

/** A message in the hands of a client. */
export interface Handed {
  readonly call: ReceiveCall;
  readonly message: RecordedMessage;
  readonly deliveryNo: number;
}

/**
 * What one call asked for for one receipt, and what it was answered (null: nothing, or an error).
 */
export interface Settled {
  readonly call: SettleCall;
  readonly input: SettleInput;
  readonly result: RecordedResult | null;
  /** Of the receipt; 0 when it cannot be read. */
  readonly deliveryNo: number;
  readonly seq: number;
}

/**
 * When a lease was given or extended, and until when; what is only known to the millisecond has
 * bounds.
 */
export interface Grant {
  readonly at: readonly [Micros, Micros];
  readonly until: readonly [Micros, Micros];
}

/** What happened to one message in one generation of one subscription. */
export interface Life {
  readonly seq: number;
  readonly generation: number;
  /** Those that handed it out, in order: the n-th is its n-th attempt. */
  readonly deliveries: readonly DeliveryRow[];
  readonly failures: readonly FailureRow[];
  readonly acknowledgments: readonly AcknowledgmentRow[];
  readonly deadLetter: DeadLetterRow | null;
}

export interface SubscriptionBook {
  readonly subscription: SubscriptionRow;
  readonly readAt: Micros;
  readonly messages: ReadonlyMap<number, MessageRow>;
  readonly tail: number;
  readonly deliveries: readonly DeliveryRow[];
  readonly leases: readonly LeaseRow[];
  readonly deferred: readonly DeferredRow[];
  readonly failures: readonly FailureRow[];
  readonly acknowledgments: readonly AcknowledgmentRow[];
  readonly deadLetters: readonly DeadLetterRow[];
  readonly receives: readonly ReceiveCall[];
  /** In the order of the calls. */
  readonly settled: readonly Settled[];
  readonly lives: readonly Life[];
  /** Every receipt that somebody was handed. */
  readonly receipts: ReadonlySet<string>;
  lifeOf(seq: number, generation?: number): Life | null;
  /** More than one when the receive was repeated. */
  handedBy(deliveryNo: number, seq: number): readonly Handed[];
  settledBy(deliveryNo: number, seq: number): readonly Settled[];
  /** Empty when an unanswered call leaves open how long a lease was. */
  grantsOf(deliveryNo: number, seq: number): readonly Grant[];
}

export function openTopicBooks({ calls, rows, disturbed = false }: History): TopicBook[] {
  return rows.topics.map((topic) => ({
    ...{ topic, disturbed },
    messages: rows.messages.filter(({ topicId }) => topicId === topic.topicId),
    publishes: calls.filter((call) => call.verb === 'publish').filter((call) => call.topic === topic.name),
  }));
}

export function openSubscriptionBooks(history: History): SubscriptionBook[] {
  return history.rows.subscriptions.map((subscription) => openBook(history, subscription));
}

function openBook({ calls, rows }: History, subscription: SubscriptionRow): SubscriptionBook {
  const ours = <Row extends { subscriptionId: number }>(all: readonly Row[]) =>
    all.filter(({ subscriptionId }) => subscriptionId === subscription.subscriptionId);
  const messages = new Map(rows.messages.filter((m) => m.topicId === subscription.topicId).map((m) => [m.seq, m]));
  const receives: ReceiveCall[] = [];
  const settles: SettleCall[] = [];
  for (const call of calls) {
    if (call.verb === 'publish' || call.subscription !== subscription.name) continue;
    if (call.verb === 'receive') receives.push(call);
    else settles.push(call);
  }
  const settled = settles.flatMap(toSettled);
  const handed = receives.flatMap((call) => (call.answer ?? []).map((message) => toHanded(call, message)));
  const records = {
    ...{ deliveries: ours(rows.deliveries), failures: ours(rows.failures) },
    ...{ acknowledgments: ours(rows.acknowledgments), deadLetters: ours(rows.deadLetters) },
  };
  const lives = toLives(records);
  const byKey = new Map(lives.map((life) => [keyOf(life.generation, life.seq), life]));
  const generation = records.deliveries.at(-1)?.generation ?? 1;
  const byMessage = Map.groupBy(handed, ({ deliveryNo, message }) => keyOf(deliveryNo, message.sequence));
  const settledByMessage = Map.groupBy(settled, ({ deliveryNo, seq }) => keyOf(deliveryNo, seq));
  const settledBy = (deliveryNo: number, seq: number) => settledByMessage.get(keyOf(deliveryNo, seq)) ?? [];
  const handedBy = (deliveryNo: number, seq: number) => byMessage.get(keyOf(deliveryNo, seq)) ?? [];
  return {
    ...{ subscription, messages, receives, settled, lives, readAt: rows.readAt, ...records },
    receipts: new Set(handed.map(({ message }) => message.receipt)),
    ...{ leases: ours(rows.leases), deferred: ours(rows.deferred), tail: Math.max(0, ...messages.keys()) },
    lifeOf: (seq, of = generation) => byKey.get(keyOf(of, seq)) ?? null,
    ...{ handedBy, settledBy },
    grantsOf: (deliveryNo, seq) => {
      const delivery = records.deliveries.find((row) => row.deliveryNo === deliveryNo);
      const given = handedBy(deliveryNo, seq);
      const open = given.some(({ call }) => receives.some((other) => other.answer === null && repeats(call, other)));
      if (delivery === undefined || given.length === 0 || open) return [];
      return toGrants(subscription, delivery.at, given, settledBy(deliveryNo, seq));
    },
  };
}

function keyOf(a: number, b: number): string {
  return `${a}/${b}`;
}

/** Whether both ask for the same, so that both may be answered by one delivery. */
export function repeats(a: ReceiveCall, b: ReceiveCall): boolean {
  return a.idempotencyKey !== null && a.idempotencyKey === b.idempotencyKey && a.client === b.client;
}

function toHanded(call: ReceiveCall, message: RecordedMessage): Handed {
  return { call, message, deliveryNo: parseReceipt(message.receipt)?.deliveryNo ?? 0 };
}

function toSettled(call: SettleCall): Settled[] {
  return call.inputs.map((input, i) => {
    const parts = parseReceipt(input.receipt);
    const { deliveryNo, sequence: seq } = parts ?? { deliveryNo: 0, sequence: 0 };
    return { call, input, result: call.answer?.[i] ?? null, deliveryNo, seq };
  });
}

type Records = Pick<SubscriptionBook, 'deliveries' | 'failures' | 'acknowledgments' | 'deadLetters'>;

function toLives({ deliveries, failures, acknowledgments, deadLetters }: Records): Life[] {
  interface Growing extends Life {
    deliveries: DeliveryRow[];
    failures: FailureRow[];
    acknowledgments: AcknowledgmentRow[];
    deadLetter: DeadLetterRow | null;
  }
  const lives = new Map<string, Growing>();
  const of = (seq: number, generation: number): Growing => {
    const key = keyOf(generation, seq);
    const life = lives.get(key) ?? {
      ...{ seq, generation, deliveries: [], failures: [], acknowledgments: [], deadLetter: null },
    };
    lives.set(key, life);
    return life;
  };
  const inOrder = deliveries.filter(({ kind }) => kind === 'deliver').sort((a, b) => a.deliveryNo - b.deliveryNo);
  for (const delivery of inOrder)
    for (const seq of delivery.handed) of(seq, delivery.generation).deliveries.push(delivery);
  for (const row of failures) of(row.seq, row.generation).failures.push(row);
  for (const row of acknowledgments) of(row.seq, row.generation).acknowledgments.push(row);
  const generation = deliveries.at(-1)?.generation ?? 1;
  for (const row of deadLetters) if (row.reason !== 'expired') of(row.seq, generation).deadLetter = row;
  for (const life of lives.values()) life.failures.sort((a, b) => a.deliveryNo - b.deliveryNo);
  return [...lives.values()];
}

function toGrants(own: SubscriptionRow, at: Micros, given: readonly Handed[], settled: readonly Settled[]): Grant[] {
  const timeoutOf = (call: ReceiveCall | SettleCall) =>
    (call.visibilityTimeoutSeconds ?? own.visibilityTimeoutSeconds) * 1_000_000;
  const grants: Grant[] = given.map(({ call, message }) => {
    // A repetition begins anew at an instant that is only known by its end.
    if (call.idempotencyKey !== null) return toGrant(message.visibleUntil, timeoutOf(call));
    return { at: [at, at], until: [at + timeoutOf(call), at + timeoutOf(call)] };
  });
  for (const { call, result } of settled) {
    if (call.verb !== 'extend') continue;
    if (result === null) return [];
    if (result.outcome !== 'extended' || result.visibleUntil === null) continue;
    grants.push(toGrant(result.visibleUntil, timeoutOf(call)));
  }
  return grants;
}

/** From an end that is known to the millisecond. */
function toGrant(visibleUntil: number, timeout: Micros): Grant {
  const [low, high] = [visibleUntil * 1000, visibleUntil * 1000 + 999];
  return { at: [low - timeout, high - timeout], until: [low, high] };
}

/**
 * Until when a lease was given, as it stood at an instant: the earliest and the latest that it can
 * have been.
 */
export function leaseEndAt(grants: readonly Grant[], at: Micros): [Micros, Micros] | null {
  const given = grants.filter((grant) => grant.at[0] <= at);
  const certain = Math.max(...given.filter((grant) => grant.at[1] <= at).map((grant) => grant.at[0]));
  const standing = given.filter((grant) => grant.at[1] >= certain);
  if (standing.length === 0) return null;
  return [Math.min(...standing.map(({ until }) => until[0])), Math.max(...standing.map(({ until }) => until[1]))];
}
