// The dispatcher of one subscription: parks its waiters in memory and runs at most one receive at a
// time for all of them together. A wake during a running receive makes it run again. A waiter whose
// client went away is forgotten before anything is leased to it; what was leased in the same moment
// is handed back.

import { setImmediate } from 'node:timers/promises';
import type { ReceiveOutcome, WaiterRow } from '../../store/deliveries.ts';
import type { HandedMessage } from '../../store/packing/handed-messages.ts';
import type { DatabaseHealth } from '../../store/postgres/health.ts';
import type { ByteBudget, ByteOwner } from '../fair-use/byte-budget.ts';
import type { CallerSignal } from './abort-signal.ts';
import { DeferredFloor } from './deferred-floor.ts';

/** After so long everything deferred is looked at again. */
const FULL_LOOK_MS = 60_000;
/** Later ones are found by the look ahead. */
const NEXT_AT_MS_MAX = 60_000;
/** Of one receive; those behind them follow in the next. */
const WAITERS_MAX = 100;
const MESSAGES_MAX = 2_000;
/** So soon after an empty answer a client may be taken to have waited on. */
const WAITS_ON_MS = 2_000;
/**
 * Timers fire up to a millisecond early, and instants are cut to the millisecond: a look then would
 * be in vain.
 */
const EARLY_MS = 2;
/** Small bodies are not worth a difference. */
const EXPECTED_BYTES_MIN = 64 * 1024;

export interface WaiterRequest extends Omit<WaiterRow, 'nonce'> {
  /** Whose bytes the answer will be. */
  readonly owner: ByteOwner;
  readonly waitMs: number;
  readonly signal: CallerSignal;
  /** Is handed what a statement brought for a client that had gone meanwhile. */
  readonly onLost: (handed: Handed, row: WaiterRow) => void;
}

/**
 * What a waiter was handed, with what its receipts are made of; `gone` when the subscription is no
 * more.
 */
export type WaiterAnswer = Handed | 'gone';

export interface Handed {
  readonly messages: readonly HandedMessage[];
  readonly ids: SubscriptionIds;
  readonly nonce: bigint;
}

export interface SubscriptionIds {
  readonly topicId: number;
  readonly subscriptionId: number;
}

/** One look at the subscription for several waiters. */
export interface Look {
  /** What the bodies may come to: as much as the last look brought. */
  readonly expectedBytes: number;
  readonly deferredFloor: Date | null;
  readonly leaseFloor: number;
  readonly waiters: readonly WaiterRow[];
}

export interface DispatcherOptions {
  readonly ids: SubscriptionIds;
  readonly byteBudget: Pick<ByteBudget, 'roomOr' | 'roomForOr'>;
  readonly health: DatabaseHealth;
  /** Gives the nonce of the next waiter's delivery: 64 bits that nobody can guess. */
  readonly newNonce: () => bigint;
  /** Whether what other instances make receivable is heard of here. */
  readonly hears: () => boolean;
  readonly receive: (look: Look) => Promise<ReceiveOutcome>;
  /** The bound that `receive` puts on the bodies of one look. */
  readonly bytesMax: number;
}

interface Waiter {
  readonly row: WaiterRow;
  readonly owner: ByteOwner;
  readonly resolve: (answer: WaiterAnswer) => void;
  readonly reject: (error: unknown) => void;
  readonly onLost: WaiterRequest['onLost'];
  /** No longer waits for messages: its time is over or its client is gone. */
  over: boolean;
  left: boolean;
  /** Named by the receive that is on its way. */
  asked: boolean;
  /** A look has found nothing for it: it is parked, and stays so while the database is away. */
  looked: boolean;
  timer: NodeJS.Timeout | null;
}

export class Dispatcher {
  readonly #options: DispatcherOptions;
  readonly #waiters = new Set<Waiter>();
  readonly #resume = () => this.wake();
  /** Waiters for whom a look has found nothing, and when the last one went with an empty answer. */
  #parked = 0;
  #parkedUntil = Number.NEGATIVE_INFINITY;
  #running = false;
  #dirty = false;
  /** The last look left somebody without, though there was room, and nothing was heard since. */
  #knownEmpty = false;
  readonly #deferredFloor = new DeferredFloor();
  #leaseFloor = 0;
  #fullLookAt = 0;
  #expectedBytes = EXPECTED_BYTES_MIN;
  #alarm: { at: number; timer: NodeJS.Timeout } | null = null;
  #stopped = false;
  /** For forgetting dispatchers that nobody has used for long. */
  usedAt = performance.now();

  constructor(options: DispatcherOptions) {
    this.#options = options;
  }

  get waiting(): number {
    return this.#waiters.size;
  }

  /** Resolves with messages, with none when the time is over, or 'gone'. */
  wait(request: WaiterRequest): Promise<WaiterAnswer> {
    // What arrives while the instance stops is looked at once and not parked.
    const waitMs = this.#stopped ? 0 : request.waitMs;
    this.usedAt = performance.now();
    const { promise, resolve, reject } = Promise.withResolvers<WaiterAnswer>();
    const waiter = createWaiter(request, this.#options.newNonce(), { resolve, reject });
    if (request.signal.aborted) {
      resolve(this.#handed(waiter, []));
      return promise;
    }
    this.#takePlace(request.receiveKey);
    this.#watch(waiter, request.signal, waitMs);
    const isParked = waitMs > 0 && this.#isLookNeedless(request.receiveKey);
    this.#waiters.add(waiter);
    if (isParked) this.#park(waiter);
    else this.wake();
    return promise;
  }

  #watch(waiter: Waiter, signal: CallerSignal, waitMs: number): void {
    const leave = (): void => {
      waiter.left = true;
      this.#giveUp(waiter);
    };
    signal.addEventListener('abort', leave, { once: true });
    if (waitMs > 0) waiter.timer = setTimeout(() => this.#giveUp(waiter), waitMs);
    else waiter.over = true;
  }

  /**
   * Whether somebody waits here already, or did until a moment ago, and nothing was heard since a
   * look found nothing: then it would find nothing for a newcomer either, who waits with the same
   * right to be woken. One who asks again for an answer is looked for.
   */
  #isLookNeedless(receiveKey: string | null): boolean {
    if (receiveKey !== null || !this.#knownEmpty || this.#dirty || this.#running) return false;
    const { hears, health } = this.#options;
    const waitsOn = this.#parked > 0 || performance.now() - this.#parkedUntil <= WAITS_ON_MS;
    return waitsOn && hears() && health.availableOr(this.#resume);
  }

  #park(waiter: Waiter): void {
    if (waiter.looked) return;
    waiter.looked = true;
    this.#parked += 1;
  }

  /** Something may be receivable. */
  wake(): void {
    this.#dirty = true;
    this.#knownEmpty = false;
    if (!this.#running && this.#waiters.size > 0) void this.#run();
  }

  /**
   * Something will be receivable in so many milliseconds; only the earliest such moment is kept.
   */
  wakeIn(delayMs: number): void {
    if (delayMs > NEXT_AT_MS_MAX || this.#stopped) return;
    const at = performance.now() + delayMs;
    if (this.#alarm !== null) {
      if (this.#alarm.at <= at) return;
      clearTimeout(this.#alarm.timer);
    }
    const timer = setTimeout(() => {
      this.#alarm = null;
      this.wake();
    }, Math.max(0, delayMs) + EARLY_MS);
    this.#alarm = { at, timer };
  }

  /** Answers every waiter with what there is: nothing. */
  stop(): void {
    this.#stopped = true;
    if (this.#alarm !== null) clearTimeout(this.#alarm.timer);
    for (const waiter of this.#waiters) this.#giveUp(waiter);
  }

  async #run(): Promise<void> {
    this.#running = true;
    while (this.#dirty && this.#waiters.size > 0) {
      if (!this.#options.health.availableOr(this.#resume)) {
        this.#refuseNew();
        break;
      }
      if (!this.#options.byteBudget.roomOr(this.#resume)) {
        this.#answerOver();
        break;
      }
      this.#dirty = false;
      const { asking, behind } = this.#nextWaiters();
      if (asking.length === 0) break;
      try {
        const outcome = await this.#options.receive(this.#look(asking));
        this.#learn(outcome);
        const distributed = this.#distribute(asking, outcome);
        this.#goOn(distributed, behind);
        // Their door counts large answers first, so that nobody is given more than a share.
        if (distributed.bytes > EXPECTED_BYTES_MIN) await setImmediate();
      } catch (error) {
        for (const waiter of asking) this.#answer(waiter, () => waiter.reject(error));
        if (behind.length > 0) this.#dirty = true;
      }
      this.usedAt = performance.now();
    }
    this.#running = false;
  }

  /**
   * Those that the next look is for, in the order of their arrival, and those that it has no room
   * for.
   */
  #nextWaiters(): { asking: Waiter[]; behind: Waiter[] } {
    const asking: Waiter[] = [];
    const behind: Waiter[] = [];
    let messages = 0;
    for (const waiter of this.#waiters) {
      // It goes on waiting, and is answered empty when its time is over.
      if (!this.#options.byteBudget.roomForOr(waiter.owner, this.#resume)) {
        if (waiter.over) this.#answerEmpty(waiter);
        continue;
      }
      if (behind.length > 0 || asking.length === WAITERS_MAX || messages >= MESSAGES_MAX) {
        behind.push(waiter);
        continue;
      }
      waiter.asked = true;
      asking.push(waiter);
      messages += waiter.row.maxMessages;
    }
    return { asking, behind };
  }

  /**
   * Looks again only while there may be more: what found nothing for those in front has nothing for
   * those behind.
   */
  #goOn({ unserved, more }: { unserved: number; more: boolean }, behind: readonly Waiter[]): void {
    this.#knownEmpty = !more && !this.#dirty;
    if (more && unserved + behind.length > 0) this.#dirty = true;
    if (more) return;
    for (const waiter of behind) {
      this.#park(waiter);
      if (waiter.over) this.#answerEmpty(waiter);
    }
  }

  /**
   * The database is away: nobody can say whether there is something for those who have just come.
   */
  #refuseNew(): void {
    for (const waiter of this.#waiters) {
      if (!waiter.looked) this.#answer(waiter, () => waiter.reject(this.#options.health.refuse()));
    }
  }

  /** Those who do not wait learn that there is nothing for them now. */
  #answerOver(): void {
    for (const waiter of this.#waiters) if (waiter.over) this.#answerEmpty(waiter);
  }

  #look(asking: readonly Waiter[]): Look {
    const now = performance.now();
    if (now - this.#fullLookAt > FULL_LOOK_MS) {
      this.#deferredFloor.forget();
      this.#fullLookAt = now;
    }
    return {
      expectedBytes: this.#expectedBytes,
      deferredFloor: this.#deferredFloor.at,
      leaseFloor: this.#leaseFloor,
      waiters: asking.map((waiter) => waiter.row),
    };
  }

  #learn(outcome: ReceiveOutcome): void {
    if (outcome.checkedAt === null) return;
    this.#leaseFloor = outcome.leaseFloor;
    this.#deferredFloor.learn(outcome);
    if (outcome.nextAt !== null) this.wakeIn(outcome.nextAt.getTime() - outcome.checkedAt.getTime());
  }

  /** How many go on waiting, and whether the look may have left something. */
  #distribute(asking: readonly Waiter[], outcome: ReceiveOutcome): { unserved: number; more: boolean; bytes: number } {
    let bytes = 0;
    let unserved = 0;
    for (const [i, waiter] of asking.entries()) {
      const messages = outcome.handed[i] ?? [];
      waiter.asked = false;
      for (const message of messages) bytes += message.body.length;
      if (outcome.outcome === 'subscription_not_found') {
        this.#answer(waiter, () => waiter.resolve('gone'));
      } else if (messages.length > 0) {
        // It may have left, or its time may have run out, while the statement was on its way.
        const handed = this.#handed(waiter, messages);
        if (waiter.left) waiter.onLost(handed, waiter.row);
        this.#answer(waiter, () => waiter.resolve(handed));
      } else if (waiter.over) {
        this.#answerEmpty(waiter);
      } else {
        this.#park(waiter);
        unserved += 1;
      }
    }
    if (bytes > 0) this.#expectedBytes = Math.max(bytes, EXPECTED_BYTES_MIN);
    return { unserved, more: unserved === 0 || bytes >= this.#options.bytesMax, bytes };
  }

  /** A repetition ends the wait of the call that it repeats. */
  #takePlace(receiveKey: string | null): void {
    if (receiveKey === null) return;
    for (const waiter of this.#waiters) if (waiter.row.receiveKey === receiveKey) this.#giveUp(waiter);
  }

  /**
   * Ends the wait. A receive that is on its way for this waiter may bring something yet: see
   * #distribute.
   */
  #giveUp(waiter: Waiter): void {
    waiter.over = true;
    if (waiter.asked && !waiter.left) return;
    this.#answerEmpty(waiter);
  }

  #answerEmpty(waiter: Waiter): void {
    if (waiter.looked) this.#parkedUntil = performance.now();
    this.#answer(waiter, () => waiter.resolve(this.#handed(waiter, [])));
  }

  #handed({ row }: Waiter, messages: readonly HandedMessage[]): Handed {
    return { messages, ids: this.#options.ids, nonce: row.nonce };
  }

  #answer(waiter: Waiter, settle: () => void): void {
    if (waiter.timer !== null) clearTimeout(waiter.timer);
    if (this.#waiters.delete(waiter) && waiter.looked) this.#parked -= 1;
    settle();
  }
}

function createWaiter(
  { maxMessages, maxBytes, visibilityTimeoutSeconds, principal, receiveKey, owner, onLost }: WaiterRequest,
  nonce: bigint,
  { resolve, reject }: Pick<Waiter, 'resolve' | 'reject'>,
): Waiter {
  return {
    row: { maxMessages, maxBytes, visibilityTimeoutSeconds, principal, receiveKey, nonce },
    owner,
    resolve,
    reject,
    onLost,
    over: false,
    left: false,
    asked: false,
    looked: false,
    timer: null,
  };
}
