// Dispatcher of one subscription: parks its waiters in memory and runs at most one receive query at
// a time for all of them together. A wake during a query makes it run again. A waiter whose client
// went away is forgotten before anything is leased to it; what was leased in the same moment is
// released. The states of a waiter are those of waiter.ts.

import { setImmediate } from 'node:timers/promises';
import type { ReceiveOutcome, WaiterRow } from '../../store/deliveries.ts';
import type { HandedMessage } from '../../store/packing/handed-messages.ts';
import type { DatabaseHealth } from '../../store/postgres/health.ts';
import type { ByteBudget } from '../fair-use/byte-budget.ts';
import type { CallerSignal } from './abort-signal.ts';
import { Alarm } from './alarm.ts';
import { type Floors, QueryFloors } from './query-floors.ts';
import {
  createWaiter,
  type Handed,
  isAnswered,
  nextState,
  type SubscriptionIds,
  type Waiter,
  type WaiterAnswer,
  type WaiterEvent,
  type WaiterRequest,
} from './waiter.ts';

/** What is due later is found by the sweep's look-ahead. */
const NEXT_AT_MS_MAX = 60_000;
/** Of one query; those behind them follow in the next. */
const WAITERS_MAX = 100;
const MESSAGES_MAX = 2_000;
/** So soon after an empty answer a client may be taken to have waited on. */
const WAITS_ON_MS = 2_000;
/** Small bodies are not worth a difference. */
const EXPECTED_BYTES_MIN = 64 * 1024;

/** One receive query for several waiters of the subscription. */
export interface ReceiveQuery {
  /** What the bodies may come to: as much as the last query brought. */
  readonly expectedBytes: number;
  readonly deferredFloor: Date | null;
  readonly leaseFloor: number;
  readonly waiters: readonly WaiterRow[];
}

export interface DispatcherOptions {
  readonly ids: SubscriptionIds;
  readonly byteBudget: Pick<ByteBudget, 'roomOr' | 'roomForOr'>;
  readonly health: DatabaseHealth;
  /** Makes the nonce of a waiter's delivery: 64 bits that cannot be guessed. */
  readonly newNonce: () => bigint;
  /** Whether notifications of other instances arrive here. */
  readonly isListening: () => boolean;
  readonly receive: (query: ReceiveQuery) => Promise<ReceiveOutcome>;
  /** The bound that `receive` puts on the bodies of one query. */
  readonly bytesMax: number;
}

export class Dispatcher {
  readonly #options: DispatcherOptions;
  readonly #waiters = new Set<Waiter>();
  readonly #floors = new QueryFloors();
  readonly #alarm = new Alarm(() => this.wake());
  readonly #resume = () => this.wake();
  /** Waiters in the state `parked`, and when the last one got an empty answer. */
  #parked = 0;
  #parkedUntil = Number.NEGATIVE_INFINITY;
  #running = false;
  /** Something may have become receivable since the last query began. */
  #dirty = false;
  /** The last query left a waiter without messages though there was room, and none came since. */
  #knownEmpty = false;
  #expectedBytes = EXPECTED_BYTES_MIN;
  #stopped = false;
  /** For forgetting dispatchers that were not used for long. */
  usedAt = performance.now();

  constructor(options: DispatcherOptions) {
    this.#options = options;
  }

  get waiting(): number {
    return this.#waiters.size;
  }

  /** Resolves with messages, with none when the time is over, or 'gone'. */
  wait(request: WaiterRequest): Promise<WaiterAnswer> {
    this.usedAt = performance.now();
    const { promise, resolve, reject } = Promise.withResolvers<WaiterAnswer>();
    const waiter = createWaiter(request, this.#options.newNonce(), { resolve, reject });
    if (request.signal.aborted) {
      resolve(this.#handed(waiter, []));
      return promise;
    }
    // What arrives while the instance stops is asked for once and not parked.
    if (this.#stopped) waiter.state = 'urgent';
    this.#takePlace(request.receiveKey);
    this.#watch(waiter, request.signal, request.waitMs);
    const isParked = waiter.state === 'new' && this.#isQueryNeedless(request.receiveKey);
    this.#waiters.add(waiter);
    if (isParked) this.#move(waiter, 'findNothing');
    else this.wake();
    return promise;
  }

  /** Something may be receivable. */
  wake(): void {
    this.#dirty = true;
    this.#knownEmpty = false;
    if (!this.#running && this.#waiters.size > 0) void this.#run();
  }

  /** Something will be receivable in so many milliseconds. */
  wakeIn(delayMs: number): void {
    if (delayMs <= NEXT_AT_MS_MAX && !this.#stopped) this.#alarm.setIn(delayMs);
  }

  /** Nothing that was learnt of times holds any more: the next query is about everything. */
  forgetFloors(): void {
    this.#floors.forget();
    this.wake();
  }

  /** Answers every waiter with what there is: nothing. */
  stop(): void {
    this.#stopped = true;
    this.#alarm.clear();
    for (const waiter of this.#waiters) this.#move(waiter, 'expire');
  }

  #watch(waiter: Waiter, signal: CallerSignal, waitMs: number): void {
    signal.addEventListener('abort', () => this.#move(waiter, 'leave'), { once: true });
    if (waiter.state === 'new') waiter.timer = setTimeout(() => this.#move(waiter, 'expire'), waitMs);
  }

  /** A repetition ends the wait of the call that it repeats. */
  #takePlace(receiveKey: string | null): void {
    if (receiveKey === null) return;
    for (const waiter of this.#waiters) if (waiter.row.receiveKey === receiveKey) this.#move(waiter, 'expire');
  }

  /**
   * Whether a waiter is parked here, or was until a moment ago, and nothing came since a query
   * found nothing: then a query would find nothing for a newcomer either. A repetition is always
   * asked for.
   */
  #isQueryNeedless(receiveKey: string | null): boolean {
    if (receiveKey !== null || !this.#knownEmpty || this.#dirty || this.#running) return false;
    const { isListening, health } = this.#options;
    const waitsOn = this.#parked > 0 || performance.now() - this.#parkedUntil <= WAITS_ON_MS;
    return waitsOn && isListening() && health.availableOr(this.#resume);
  }

  async #run(): Promise<void> {
    this.#running = true;
    while (this.#dirty && this.#waiters.size > 0) {
      if (!this.#options.health.availableOr(this.#resume)) {
        this.#refuseNew();
        break;
      }
      if (!this.#options.byteBudget.roomOr(this.#resume)) {
        this.#answerUrgent();
        break;
      }
      this.#dirty = false;
      const { asked, behind } = this.#askNext();
      if (asked.length === 0) break;
      try {
        const floors = this.#floors.next();
        const outcome = await this.#options.receive(this.#query(asked, floors));
        this.#learn(outcome, floors);
        const distributed = this.#distribute(asked, outcome);
        this.#goOn(distributed, behind);
        // Transports reserve large answers first, so that no key gets more than its share.
        if (distributed.bytes > EXPECTED_BYTES_MIN) await setImmediate();
      } catch (error) {
        for (const waiter of asked) this.#move(waiter, 'refuse', () => waiter.reject(error));
        if (behind.length > 0) this.#dirty = true;
      }
      this.usedAt = performance.now();
    }
    this.#running = false;
  }

  /**
   * Those that the next query is for, in the order of arrival, and those that it has no room for.
   */
  #askNext(): { asked: Waiter[]; behind: Waiter[] } {
    const asked: Waiter[] = [];
    const behind: Waiter[] = [];
    let messages = 0;
    for (const waiter of this.#waiters) {
      if (!this.#options.byteBudget.roomForOr(waiter.owner, this.#resume)) {
        if (waiter.state === 'urgent') this.#move(waiter, 'findNothing');
      } else if (behind.length > 0 || asked.length === WAITERS_MAX || messages >= MESSAGES_MAX) {
        behind.push(waiter);
      } else {
        this.#move(waiter, 'ask');
        asked.push(waiter);
        messages += waiter.row.maxMessages;
      }
    }
    return { asked, behind };
  }

  #query(asked: readonly Waiter[], { deferredFloor, leaseFloor }: Floors): ReceiveQuery {
    return {
      expectedBytes: this.#expectedBytes,
      deferredFloor,
      leaseFloor,
      waiters: asked.map((waiter) => waiter.row),
    };
  }

  #learn(outcome: ReceiveOutcome, floors: Floors): void {
    this.#floors.learn(outcome, floors);
    const { checkedAt, nextAt } = outcome;
    if (checkedAt !== null && nextAt !== null) this.wakeIn(nextAt.getTime() - checkedAt.getTime());
  }

  /** How many wait on, and whether the query may have left something. */
  #distribute(asked: readonly Waiter[], outcome: ReceiveOutcome): { unserved: number; more: boolean; bytes: number } {
    let bytes = 0;
    let unserved = 0;
    for (const [i, waiter] of asked.entries()) {
      const messages = outcome.handed[i] ?? [];
      for (const message of messages) bytes += message.body.length;
      if (outcome.outcome === 'subscription_not_found') {
        this.#move(waiter, 'refuse', () => waiter.resolve('gone'));
      } else if (messages.length > 0) {
        this.#hand(waiter, messages);
      } else {
        this.#move(waiter, 'findNothing');
        if (waiter.state === 'parked') unserved += 1;
      }
    }
    if (bytes > 0) this.#expectedBytes = Math.max(bytes, EXPECTED_BYTES_MIN);
    return { unserved, more: unserved === 0 || bytes >= this.#options.bytesMax, bytes };
  }

  #hand(waiter: Waiter, messages: readonly HandedMessage[]): void {
    const handed = this.#handed(waiter, messages);
    if (waiter.state === 'left') waiter.onLost(handed, waiter.row);
    this.#move(waiter, 'find', () => waiter.resolve(handed));
  }

  /**
   * Queries again only while there may be more: what found nothing for those in front has nothing
   * for those behind.
   */
  #goOn({ unserved, more }: { unserved: number; more: boolean }, behind: readonly Waiter[]): void {
    this.#knownEmpty = !more && !this.#dirty;
    if (more && unserved + behind.length > 0) this.#dirty = true;
    if (!more) for (const waiter of behind) this.#move(waiter, 'findNothing');
  }

  /**
   * The database is unavailable: it is not known whether there are messages for new waiters.
   */
  #refuseNew(): void {
    for (const waiter of this.#waiters) {
      this.#move(waiter, 'refuse', () => waiter.reject(this.#options.health.refuse()));
    }
  }

  /** There is no room: those who do not wait learn that there is nothing for them now. */
  #answerUrgent(): void {
    for (const waiter of this.#waiters) if (waiter.state === 'urgent') this.#move(waiter, 'findNothing');
  }

  /**
   * Moves the waiter on. If that ends its wait, it is answered: with no messages unless `settle`
   * says otherwise.
   */
  #move(waiter: Waiter, event: WaiterEvent, settle?: () => void): void {
    const before = waiter.state;
    const after = nextState(before, event);
    if (after === before) return;
    waiter.state = after;
    if (before === 'parked') this.#parked -= 1;
    if (after === 'parked') this.#parked += 1;
    if (!isAnswered(after) || isAnswered(before)) return;
    if (waiter.timer !== null) clearTimeout(waiter.timer);
    this.#waiters.delete(waiter);
    if (settle !== undefined) {
      settle();
      return;
    }
    if (before === 'parked' || before === 'last') this.#parkedUntil = performance.now();
    waiter.resolve(this.#handed(waiter, []));
  }

  #handed({ row }: Waiter, messages: readonly HandedMessage[]): Handed {
    return { messages, ids: this.#options.ids, nonce: row.nonce };
  }
}
