// What is on its way through this instance, in bytes: bodies of requests that have arrived, and answers that are not yet
// written out. One budget for all, of which a key may hold a quarter. When it is used up, new requests are refused and no
// more messages are looked for; what makes room (acknowledging, giving back) goes on in a reserve. Nothing is counted that
// was merely announced, so that a sender who stalls keeps nobody out.
// Doors count what they hold; the engine asks whether there is room. See docs/decisions/0023-fair-use.md.

import { WillcallError } from '../domain/errors.ts';

/** Of the budget, for one key. */
const KEY_SHARE = 1 / 4;
/** Of the budget, on top of it. */
const RESERVE_SHARE = 1 / 8;
/** What may come of one look that is let go on; as many go on at once as there is room for. */
const LOOK_BYTES = 4 * 1024 * 1024;
const GO_ON_MS = 10;
const RETRY_AFTER_SECONDS = 1;

/** Whose bytes these are: a key's, those of callers without one (''), or, with null, those of whom only the budget bounds. */
export type Holder = string | null;

/** What one request holds, from its head until its answer is written out or its connection has ended. */
export interface Held {
  /** More has arrived. Throws `overloaded` or `too_much_traffic`; then nothing was counted. */
  take(bytes: number): void;
  /** An answer waits to be written out, whatever the budget. */
  add(bytes: number): void;
  /** Everything is gone; repeating it changes nothing. */
  release(): void;
}

export class Traffic {
  readonly #bytesMax: number;
  readonly #byHolder = new Map<string, number>();
  /** Who goes on once there is room: for anybody, and for the holder. */
  readonly #waiting = new Set<() => void>();
  readonly #waitingByHolder = new Map<string, Set<() => void>>();
  #held = 0;
  #timer: NodeJS.Timeout | null = null;

  constructor(options: { readonly bytesMax: number }) {
    this.#bytesMax = options.bytesMax;
  }

  /** Bytes held by everybody. */
  get held(): number {
    return this.#held;
  }

  /** Lets a request in. `makesRoom`: what it does lets go of something. Throws `overloaded` or `too_much_traffic`. */
  enter(holder: Holder, { makesRoom }: { readonly makesRoom: boolean }): Held {
    this.#check(holder, 0, makesRoom);
    let own = 0;
    let over = false;
    const add = (bytes: number): void => {
      if (over) return;
      own += bytes;
      this.#add(holder, bytes);
    };
    return {
      take: (bytes) => {
        this.#check(holder, bytes, makesRoom);
        add(bytes);
      },
      add,
      release: () => {
        over = true;
        if (own > 0) this.#drop(holder, own);
        own = 0;
      },
    };
  }

  /** Whether more may be looked for; if not, `goOn` is called once there is room. */
  hasRoom(goOn: () => void): boolean {
    if (this.#held < this.#bytesMax) return true;
    this.#waiting.add(goOn);
    return false;
  }

  /** The same for what will be the holder's. */
  hasRoomFor(holder: Holder, goOn: () => void): boolean {
    if (holder === null || (this.#byHolder.get(holder) ?? 0) < this.#bytesMax * KEY_SHARE) return true;
    const waiting = this.#waitingByHolder.get(holder);
    if (waiting === undefined) this.#waitingByHolder.set(holder, new Set([goOn]));
    else waiting.add(goOn);
    return false;
  }

  /** Counts what a look has brought until the next turn, when the answers are made and their door has counted them. */
  pass(bytes: number): void {
    if (bytes === 0) return;
    this.#add(null, bytes);
    setImmediate(() => this.#drop(null, bytes));
  }

  #check(holder: Holder, bytes: number, makesRoom: boolean): void {
    const bytesMax = this.#bytesMax * (makesRoom ? 1 + RESERVE_SHARE : 1);
    if (exceeds(this.#held, bytes, bytesMax)) {
      throw new WillcallError('overloaded', 'Too much is on its way through this instance; try again in a moment.', {
        retryAfterSeconds: RETRY_AFTER_SECONDS,
      });
    }
    if (holder === null) return;
    if (exceeds(this.#byHolder.get(holder) ?? 0, bytes, bytesMax * KEY_SHARE)) {
      throw new WillcallError(
        'too_much_traffic',
        'The calls of this key hold too much at once: read the answers, and send less at the same time.',
        { retryAfterSeconds: RETRY_AFTER_SECONDS },
      );
    }
  }

  #add(holder: Holder, bytes: number): void {
    this.#held += bytes;
    if (holder !== null) this.#byHolder.set(holder, (this.#byHolder.get(holder) ?? 0) + bytes);
  }

  #drop(holder: Holder, bytes: number): void {
    this.#held -= bytes;
    if (holder !== null) this.#dropOf(holder, bytes);
    this.#letGoOn();
  }

  #dropOf(holder: string, bytes: number): void {
    const left = (this.#byHolder.get(holder) ?? 0) - bytes;
    if (left > 0) this.#byHolder.set(holder, left);
    else this.#byHolder.delete(holder);
    if (left >= this.#bytesMax * KEY_SHARE) return;
    const waiting = this.#waitingByHolder.get(holder);
    this.#waitingByHolder.delete(holder);
    for (const goOn of waiting ?? []) goOn();
  }

  /** As many as there is room for, the others a little later: all at once would bring more than fits. */
  #letGoOn(): void {
    if (this.#waiting.size === 0 || this.#timer !== null || this.#held >= this.#bytesMax) return;
    let count = Math.max(1, Math.floor((this.#bytesMax - this.#held) / LOOK_BYTES));
    for (const goOn of this.#waiting) {
      if (count === 0) break;
      count -= 1;
      this.#waiting.delete(goOn);
      goOn();
    }
    if (this.#waiting.size === 0) return;
    this.#timer = setTimeout(() => {
      this.#timer = null;
      this.#letGoOn();
    }, GO_ON_MS).unref();
  }
}

/** Who only comes in needs a little room, however little. */
function exceeds(held: number, bytes: number, max: number): boolean {
  return bytes === 0 ? held >= max : held + bytes > max;
}
