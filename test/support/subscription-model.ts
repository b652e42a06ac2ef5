// One subscription as the documents describe it, in memory: which message is where, after how many
// attempts, and what becomes of a receipt. Small enough to be read against docs/message-life.md;
// tests compare the real thing with it.

import type { Outcome, SettleVerb } from '../../src/domain/settling.ts';

export interface ModelSettings {
  readonly maxAttempts: number;
  readonly maxDeliveries: number;
  readonly maxInFlight: number | null;
}

export interface ModelAttempt {
  readonly seq: number;
  readonly receipt: string;
  /**
   * How it ended without an acknowledgment; null while it is in flight, or when it was acknowledged
   * in time.
   */
  end: 'released' | 'rejected' | 'expired' | null;
  acknowledged: boolean;
  failed: boolean;
  /** Its time is over, though nobody may have noticed. */
  over: boolean;
}

interface ModelMessage {
  readonly attempts: ModelAttempt[];
  /** When it waits for another attempt, whether that may begin. */
  due: boolean;
  dead: 'max_attempts' | 'max_deliveries' | 'rejected' | null;
}

export interface Handed {
  readonly sequence: number;
  readonly attempt: number;
  readonly receipt: string;
}

export class SubscriptionModel {
  readonly #settings: ModelSettings;
  readonly #messages: ModelMessage[] = [];
  readonly #byReceipt = new Map<string, ModelAttempt>();
  #head = 0;
  acknowledgments = 0;

  constructor(settings: ModelSettings) {
    this.#settings = settings;
  }

  /** Every receipt that was ever handed out, oldest first. */
  get receipts(): string[] {
    return [...this.#byReceipt.keys()];
  }

  publish(count: number): void {
    for (let i = 0; i < count; i += 1) this.#messages.push({ attempts: [], due: false, dead: null });
  }

  /** Throws what is wrong with an answer to a receive of so many; takes note of it otherwise. */
  receive(maxMessages: number, handed: readonly Handed[]): void {
    const due = this.#sequences((message) => this.#isDeferred(message) && message.due);
    const room = (this.#settings.maxInFlight ?? Number.POSITIVE_INFINITY) - this.inFlight.length;
    const expected = Math.max(0, Math.min(maxMessages, room, due.length + this.#messages.length - this.#head));
    if (handed.length !== expected) throw new Error(`${handed.length} messages instead of ${expected}`);
    const again = handed.slice(0, Math.min(expected, due.length));
    if (again.some(({ sequence }) => !due.includes(sequence))) throw new Error('what is due again does not come first');
    for (const { sequence, attempt, receipt } of handed) {
      const message = this.#message(sequence);
      if (message.attempts.length === 0) {
        this.#head += 1;
        if (sequence !== this.#head) throw new Error(`message ${sequence} instead of ${this.#head}`);
      }
      const one: ModelAttempt = {
        ...{ seq: sequence, receipt, end: null, acknowledged: false, failed: false, over: false },
      };
      message.attempts.push(one);
      this.#byReceipt.set(receipt, one);
      if (attempt !== message.attempts.length) throw new Error(`message ${sequence} came as attempt ${attempt}`);
    }
  }

  /** What the table says of a receipt now; nothing is done. */
  judge(verb: SettleVerb, receipt: string): Outcome {
    const attempt = this.#byReceipt.get(receipt);
    if (attempt === undefined) return 'invalid_receipt';
    const { attempts, dead } = this.#message(attempt.seq);
    if (attempt.acknowledged) return 'already_acknowledged';
    if (attempt.end === 'released') return 'already_released';
    if (attempt.end === 'rejected') return 'already_rejected';
    if (attempts.at(-1) !== attempt) return 'superseded';
    if (attempt.end === null && !attempt.over) return doneBy[verb];
    if (verb === 'acknowledge') return 'acknowledged_late';
    return dead !== null ? 'dead_lettered' : 'gone';
  }

  /** Does what the verb does with one receipt, and says its outcome. */
  settle(verb: SettleVerb, receipt: string, input: { failed: boolean; delayed: boolean }): Outcome {
    const outcome = this.judge(verb, receipt);
    const attempt = this.#byReceipt.get(receipt);
    if (attempt === undefined) return outcome;
    if (outcome === 'acknowledged' || outcome === 'acknowledged_late') {
      attempt.acknowledged = true;
      this.#message(attempt.seq).dead = null;
      this.acknowledgments += 1;
    }
    if (outcome === 'released') this.#end(attempt, 'released', input.failed, !input.failed && !input.delayed);
    if (outcome === 'rejected') this.#end(attempt, 'rejected', false, false);
    return outcome;
  }

  /** The time of these receipts is over; the sweep has not come yet. */
  lapse(receipts: readonly string[]): void {
    for (const attempt of this.inFlight) if (receipts.includes(attempt.receipt)) attempt.over = true;
  }

  /** Ends what is over. */
  sweep(): void {
    for (const attempt of this.inFlight) if (attempt.over) this.#end(attempt, 'expired', true, false);
  }

  /** Whatever waits has waited long enough. */
  makeDue(): void {
    for (const message of this.#messages) message.due = true;
  }

  get inFlight(): ModelAttempt[] {
    return this.#messages.flatMap(({ attempts }) => attempts.filter((one) => one.end === null && !one.acknowledged));
  }

  get deferred(): number[] {
    return this.#sequences((message) => this.#isDeferred(message));
  }

  get acknowledged(): number[] {
    return this.#sequences(({ attempts }) => attempts.some((one) => one.acknowledged));
  }

  get dead(): { seq: number; reason: string }[] {
    return this.#messages.flatMap(({ dead }, i) => (dead === null ? [] : [{ seq: i + 1, reason: dead }]));
  }

  /** Attempts that ended without an acknowledgment in time, each with its number. */
  get failures(): { seq: number; attempt: number; ended: string }[] {
    return this.#messages.flatMap(({ attempts }) =>
      attempts.flatMap(({ seq, end }, i) => (end === null ? [] : [{ seq, attempt: i + 1, ended: end }])),
    );
  }

  #end(attempt: ModelAttempt, end: 'released' | 'rejected' | 'expired', failed: boolean, due: boolean): void {
    const message = this.#message(attempt.seq);
    Object.assign(attempt, { end, failed });
    message.due = due;
    const failures = message.attempts.filter((one) => one.failed).length;
    if (end === 'rejected') message.dead = 'rejected';
    else if (failed && failures >= this.#settings.maxAttempts) message.dead = 'max_attempts';
    else if (message.attempts.length >= this.#settings.maxDeliveries) message.dead = 'max_deliveries';
  }

  #isDeferred({ attempts, dead }: ModelMessage): boolean {
    const last = attempts.at(-1);
    return dead === null && last !== undefined && last.end !== null && !last.acknowledged;
  }

  #message(seq: number): ModelMessage {
    const message = this.#messages[seq - 1];
    if (message === undefined) throw new Error(`there is no message ${seq}`);
    return message;
  }

  #sequences(having: (message: ModelMessage) => boolean): number[] {
    return this.#messages.flatMap((message, i) => (having(message) ? [i + 1] : []));
  }
}

const doneBy: Record<SettleVerb, Outcome> = {
  acknowledge: 'acknowledged',
  release: 'released',
  extend: 'extended',
  reject: 'rejected',
};
