// Histories made by hand: what clients saw and what the database would hold, told step by step at
// instants of the teller's choosing. It is the good history; a test breaks it afterwards. It
// decides nothing: outcomes are told, too.

import { formatReceipt, parseReceipt } from '../../src/domain/receipt.ts';
import type { Outcome, SettleVerb } from '../../src/domain/settling.ts';
import { type Call, digest, type PublishCall, type ReceiveCall, type SettleCall, type SettleInput } from './history.ts';
import type { Rows } from './history-rows.ts';

const TOPIC_ID = 1;
const SUBSCRIPTION_ID = 1;
const BASE = 1_800_000_000_000_000;
const SECOND = 1_000_000;

/** Whole seconds of the story as the database writes them. */
export const micros = (seconds: number) => BASE + seconds * SECOND;
const millis = (seconds: number) => micros(seconds) / 1000;

/**
 * Defaults of every story: one topic, one subscription, 30 seconds of visibility, three attempts,
 * one second of back-off.
 */
export class Story {
  readonly calls: Call[] = [];
  readonly rows: Rows = {
    readAt: BASE,
    topics: [{ topicId: TOPIC_ID, name: 'topic' }],
    subscriptions: [
      {
        ...{ topicId: TOPIC_ID, subscriptionId: SUBSCRIPTION_ID, name: 'sub', visibilityTimeoutSeconds: 30 },
        ...{ maxAttempts: 3, maxDeliveries: 5, minBackoffSeconds: 1, maxBackoffSeconds: 600 },
      },
    ],
    messages: [],
    deliveries: [],
    leases: [],
    deferred: [],
    failures: [],
    acknowledgments: [],
    deadLetters: [],
  };
  #ticks = 0;

  constructor() {
    this.#deliver({ at: 0, kind: 'start', principal: 'operator', nonce: null, handed: [] });
  }

  #call<C extends Call>(call: Omit<C, 'instance' | 'startedAt' | 'endedAt' | 'error'>): C {
    this.#ticks += 2;
    const made = { ...call, instance: 'a', startedAt: this.#ticks - 1, endedAt: this.#ticks, error: null };
    this.calls.push(made as unknown as C);
    return made as unknown as C;
  }

  publish(at: number, client: string, ...bodies: string[]): PublishCall {
    this.rows.readAt = micros(at);
    const answer = bodies.map((body) => {
      const seq = this.rows.messages.length + 1;
      const row = { publishedAt: micros(at), publishedBy: client, messageId: `id-${seq}`, body: digest(body) };
      this.rows.messages.push({ topicId: TOPIC_ID, seq, ...row });
      return { id: row.messageId, sequence: seq, duplicate: false };
    });
    return this.#call<PublishCall>({
      verb: 'publish',
      topic: 'topic',
      client,
      bodies: bodies.map(digest),
      dedupeKeys: bodies.map(() => null),
      answer,
    });
  }

  /** Says the same again, with its key, of what was published under the key. */
  repeat(call: PublishCall, key: string): PublishCall {
    const dedupeKeys = call.bodies.map((_, i) => `${key} ${i}`);
    Object.assign(call, { dedupeKeys });
    const answer = (call.answer ?? []).map((one) => ({ ...one, duplicate: true }));
    return this.#call<PublishCall>({ ...call, answer });
  }

  /** Hands out these messages; answers with the receipts. A client that left sees none of it. */
  receive(at: number, client: string, handed: number[], { left = false } = {}): string[] {
    const deliveryNo = this.rows.deliveries.length + 1;
    const nonce = BigInt(deliveryNo) * 1000n;
    this.#deliver({ at, kind: 'deliver', principal: client, nonce: nonce.toString(), handed });
    const ids = { topicId: TOPIC_ID, subscriptionId: SUBSCRIPTION_ID };
    const messages = handed.map((seq) => {
      const attempt = this.#attemptOf(seq);
      const failures = this.#failuresOf(seq);
      this.rows.deferred = this.rows.deferred.filter((row) => row.seq !== seq);
      this.rows.leases.push({
        ...{ subscriptionId: SUBSCRIPTION_ID, deliveryNo, attempt, failures },
        ...{ expiresAt: micros(at + 30), outstanding: [seq] },
      });
      const body = this.rows.messages[seq - 1]?.body ?? '';
      const receipt = formatReceipt({ ...ids, deliveryNo, sequence: seq, nonce });
      return { id: `id-${seq}`, sequence: seq, receipt, attempt, body, visibleUntil: millis(at + 30) };
    });
    this.#call<ReceiveCall>({
      ...{ verb: 'receive', subscription: 'sub', client, maxMessages: 10, visibilityTimeoutSeconds: null, left },
      idempotencyKey: null,
      answer: left ? [] : messages,
    });
    return messages.map(({ receipt }) => receipt);
  }

  /**
   * Asks once more for what the call was handed, by a key that both have; the leases begin anew.
   */
  receiveAgain(at: number, call: ReceiveCall, key: string): ReceiveCall {
    Object.assign(call, { idempotencyKey: key });
    const answer = (call.answer ?? []).map((message) => ({ ...message, visibleUntil: millis(at + 30) }));
    const receipts = answer.map(({ receipt }) => partsOf(receipt));
    for (const { seq, deliveryNo } of receipts) {
      const lease = this.rows.leases.find((row) => row.deliveryNo === deliveryNo && row.outstanding.includes(seq));
      if (lease !== undefined) lease.expiresAt = micros(at + 30);
    }
    return this.#call<ReceiveCall>({ ...call, answer });
  }

  /** Says of one receipt what it was answered, without anything done. */
  answer(
    verb: SettleVerb,
    client: string,
    receipt: string,
    outcome: Outcome,
    fields: Partial<SettleInput> = {},
  ): SettleCall {
    const input = { receipt, reference: null, delaySeconds: null, error: null, ...fields };
    const { seq, deliveryNo } = partsOf(receipt);
    const record = this.rows.acknowledgments.find((row) => row.seq === seq && row.deliveryNo === deliveryNo);
    const signed = outcome.includes('acknowledged') ? record : undefined;
    return this.#call<SettleCall>({
      ...{ verb, subscription: 'sub', client, atomic: false, visibilityTimeoutSeconds: null, inputs: [input] },
      answer: [
        {
          ...{ outcome, messageId: `id-${seq}`, visibleUntil: null, ackNo: signed?.ackNo ?? null },
          acknowledgedAt: signed === undefined ? null : Math.floor(signed.acknowledgedAt / 1000),
        },
      ],
    });
  }

  acknowledge(at: number, client: string, receipt: string, { late = false, reference = null as string | null } = {}) {
    const { seq, deliveryNo, delivery } = this.#find(receipt);
    for (const row of this.rows.deadLetters) if (row.seq === seq) row.closed = true;
    this.rows.acknowledgments.push({
      ...{ subscriptionId: SUBSCRIPTION_ID, ackNo: this.rows.acknowledgments.length + 1, seq, deliveryNo },
      ...{ deliveredAt: delivery?.at ?? 0, acknowledgedAt: micros(at), generation: 1, attempt: this.#attemptOf(seq) },
      ...{ late, messageId: `id-${seq}`, acknowledgedBy: client, reference },
    });
    this.#settle(seq);
    return this.answer('acknowledge', client, receipt, late ? 'acknowledged_late' : 'acknowledged', { reference });
  }

  /** Due again after the back-off or the delay. */
  release(at: number, client: string, receipt: string, fields: Partial<SettleInput> = {}): SettleCall {
    this.#end(at, receipt, 'released', client, fields.error?.code ?? null);
    const back = fields.error == null ? 0 : 2 ** (this.#failuresOf(partsOf(receipt).seq) - 1);
    this.#defer(receipt, at + (fields.delaySeconds ?? back));
    return this.answer('release', client, receipt, 'released', fields);
  }

  /** Given back in the name of a client that left. */
  handBack(at: number, client: string, receipt: string): void {
    this.#end(at, receipt, 'released', client, null);
    this.#defer(receipt, at);
  }

  /** The lease is over; the message is deferred, or quarantined at its last attempt. */
  expire(at: number, receipt: string): void {
    const { seq } = partsOf(receipt);
    this.#end(at, receipt, 'expired', null, null);
    const failed = this.#failuresOf(seq);
    if (failed >= 3) this.#bury(receipt, 'max_attempts');
    else this.#defer(receipt, at + 2 ** (failed - 1));
  }

  reject(at: number, client: string, receipt: string): SettleCall {
    this.#end(at, receipt, 'rejected', client, null);
    this.#bury(receipt, 'rejected');
    return this.answer('reject', client, receipt, 'rejected');
  }

  /** By 30 seconds from then. */
  extend(at: number, client: string, receipt: string): SettleCall {
    const { seq, deliveryNo } = partsOf(receipt);
    const lease = this.rows.leases.find((row) => row.deliveryNo === deliveryNo && row.outstanding.includes(seq));
    if (lease !== undefined) lease.expiresAt = micros(at + 30);
    const call = this.answer('extend', client, receipt, 'extended');
    call.answer = (call.answer ?? []).map((result) => ({ ...result, visibleUntil: millis(at + 30) }));
    return call;
  }

  /**
   * Makes two calls happen at the same time, so that neither was answered before the other began.
   */
  overlap(a: Call, b: Call): void {
    const [startedAt, endedAt] = [Math.min(a.startedAt, b.startedAt), Math.max(a.endedAt ?? 0, b.endedAt ?? 0)];
    for (const call of [a, b]) Object.assign(call, { startedAt, endedAt });
  }

  #deliver(row: { at: number; kind: 'start' | 'deliver'; principal: string; nonce: string | null; handed: number[] }) {
    const before = this.rows.deliveries.at(-1);
    this.rows.readAt = micros(row.at);
    this.rows.deliveries.push({
      ...row,
      ...{ subscriptionId: SUBSCRIPTION_ID, deliveryNo: this.rows.deliveries.length + 1, generation: 1 },
      ...{ at: micros(row.at), head: Math.max(before?.head ?? 0, ...row.handed) },
    });
  }

  #find(receipt: string) {
    const parts = partsOf(receipt);
    return { ...parts, delivery: this.rows.deliveries.find((row) => row.deliveryNo === parts.deliveryNo) };
  }

  #attemptOf(seq: number): number {
    return this.rows.deliveries.filter((row) => row.handed.includes(seq)).length;
  }

  #failuresOf(seq: number): number {
    return this.rows.failures.filter((row) => row.seq === seq && (row.ended === 'expired' || row.errorCode !== null))
      .length;
  }

  #settle(seq: number): void {
    this.rows.leases = this.rows.leases.filter((row) => !row.outstanding.includes(seq));
    this.rows.deferred = this.rows.deferred.filter((row) => row.seq !== seq);
  }

  #end(
    at: number,
    receipt: string,
    ended: 'expired' | 'released' | 'rejected',
    endedBy: string | null,
    errorCode: string | null,
  ) {
    const { seq, deliveryNo } = partsOf(receipt);
    this.#settle(seq);
    this.rows.failures.push({
      ...{ subscriptionId: SUBSCRIPTION_ID, seq, generation: 1, attempt: this.#attemptOf(seq), deliveryNo },
      ...{ endedAt: micros(at), ended, endedBy, errorCode, deadLetterNo: null },
    });
  }

  #defer(receipt: string, due: number): void {
    const { seq } = partsOf(receipt);
    const counts = { attempt: this.#attemptOf(seq), failures: this.#failuresOf(seq) };
    this.rows.deferred.push({ subscriptionId: SUBSCRIPTION_ID, seq, availableAt: micros(due), ...counts });
  }

  #bury(receipt: string, reason: 'max_attempts' | 'rejected'): void {
    const { seq, deliveryNo } = partsOf(receipt);
    const deadLetterNo = this.rows.deadLetters.length + 1;
    const failures = this.rows.failures.filter((row) => row.seq === seq);
    for (const row of failures) if (row.deliveryNo === deliveryNo) row.deadLetterNo = deadLetterNo;
    this.rows.deadLetters.push({
      ...{ subscriptionId: SUBSCRIPTION_ID, deadLetterNo, reason, seq, seqLast: seq, attempts: this.#attemptOf(seq) },
      ...{ messageId: `id-${seq}`, body: null, failedAttempts: failures.length, closed: false },
    });
  }
}

function partsOf(receipt: string): { seq: number; deliveryNo: number } {
  const parts = parseReceipt(receipt);
  return { seq: parts?.sequence ?? 0, deliveryNo: parts?.deliveryNo ?? 0 };
}

/** One message in the hands of c1; its receipt. */
export function tellOneInFlight(): { story: Story; receipt: string } {
  const story = new Story();
  story.publish(1, 'p1', 'one');
  const [receipt = ''] = story.receive(10, 'c1', [1]);
  return { story, receipt };
}

/** Two calls and their messages, which nobody subscribes to. */
export function tellTwoPublishes({ alike = false } = {}): Story {
  const story = new Story();
  story.rows.subscriptions = [];
  story.rows.deliveries = [];
  story.publish(1, 'p1', 'one');
  story.publish(2, alike ? 'p1' : 'p2', alike ? 'one' : 'two');
  return story;
}

/** c1 acknowledges in time. */
export function finish({ story, receipt }: { story: Story; receipt: string }): Story {
  story.acknowledge(11, 'c1', receipt);
  return story;
}
