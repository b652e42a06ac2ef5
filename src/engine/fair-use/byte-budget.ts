// What is on its way through this instance, in bytes: bodies of requests that have arrived, and answers that are not yet
// written out. One budget for all, of which a key may hold a quarter. When it is used up, new requests are refused and no
// more messages are looked for; what makes room (acknowledging, giving back) goes on in a reserve. Nothing is counted that
// was merely announced, so that a sender who stalls keeps nobody out.
// Doors count what they hold; the engine asks whether there is room. See docs/decisions/0023-fair-use.md.

import { WillcallError } from '../../domain/errors.ts';

/** Of the budget, for one key. */
const KEY_SHARE = 1 / 4;
/** Of the budget, on top of it. */
const RESERVE_SHARE = 1 / 8;
/** What may come of one look that is let go on; as many go on at once as there is room for. */
const LOOK_BYTES = 4 * 1024 * 1024;
const GO_ON_MS = 10;
const RETRY_AFTER_SECONDS = 1;

const words = {
  overloaded: 'Too much is on its way through this instance; try again in a moment.',
  too_much_traffic: 'The calls of this key hold too much at once: read the answers, and send less at the same time.',
};

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
  readonly #pool: Pool;
  /** For what makes room, when the pool is full: nothing else can use it up. */
  readonly #reserve: Pool;
  /** Who goes on once there is room: for anybody, and for the holder. */
  readonly #waiting = new Set<() => void>();
  readonly #waitingByHolder = new Map<string, Set<() => void>>();
  readonly #rooms: Rooms;
  #timer: NodeJS.Timeout | null = null;

  constructor({ bytesMax }: { readonly bytesMax: number }) {
    this.#bytesMax = bytesMax;
    this.#pool = new Pool(bytesMax);
    this.#reserve = new Pool(bytesMax * RESERVE_SHARE);
    this.#rooms = { pool: this.#pool, reserve: this.#reserve, onRelease: (holder) => this.#letGoOn(holder) };
  }

  /** Bytes held by everybody. */
  get held(): number {
    return this.#pool.held + this.#reserve.held;
  }

  /** Lets a request in. `makesRoom`: what it does lets go of something. Throws `overloaded` or `too_much_traffic`. */
  enter(holder: Holder, { makesRoom }: { readonly makesRoom: boolean }): Held {
    const held = new HeldBytes(this.#rooms, holder, makesRoom);
    held.take(0);
    return held;
  }

  /** Whether more may be looked for; if not, `goOn` is called once there is room. */
  hasRoom(goOn: () => void): boolean {
    if (this.#pool.held < this.#bytesMax) return true;
    this.#waiting.add(goOn);
    return false;
  }

  /** The same for what will be the holder's. */
  hasRoomFor(holder: Holder, goOn: () => void): boolean {
    if (holder === null || this.#pool.hasRoomFor(holder)) return true;
    const waiting = this.#waitingByHolder.get(holder);
    if (waiting === undefined) this.#waitingByHolder.set(holder, new Set([goOn]));
    else waiting.add(goOn);
    return false;
  }

  /** Counts what a look has brought until the next turn, when the answers are made and their door has counted them. */
  pass(bytes: number): void {
    if (bytes === 0) return;
    this.#pool.add(null, bytes);
    setImmediate(() => {
      this.#pool.drop(null, bytes);
      this.#letGoOn(null);
    });
  }

  #letGoOn(holder: Holder): void {
    if (holder !== null && this.#waitingByHolder.has(holder) && this.#pool.hasRoomFor(holder)) {
      const waiting = this.#waitingByHolder.get(holder);
      this.#waitingByHolder.delete(holder);
      for (const goOn of waiting ?? []) goOn();
    }
    if (this.#timer === null) this.#letSomeGoOn();
  }

  /** As many as there is room for, the others a little later: all at once would bring more than fits. */
  #letSomeGoOn(): void {
    const room = this.#bytesMax - this.#pool.held;
    if (this.#waiting.size === 0 || room <= 0) return;
    let count = Math.max(1, Math.floor(room / LOOK_BYTES));
    for (const goOn of this.#waiting) {
      if (count === 0) break;
      count -= 1;
      this.#waiting.delete(goOn);
      goOn();
    }
    if (this.#waiting.size === 0) return;
    this.#timer = setTimeout(() => {
      this.#timer = null;
      this.#letSomeGoOn();
    }, GO_ON_MS).unref();
  }
}

interface Rooms {
  readonly pool: Pool;
  readonly reserve: Pool;
  readonly onRelease: (holder: Holder) => void;
}

class HeldBytes implements Held {
  readonly #rooms: Rooms;
  readonly #holder: Holder;
  readonly #makesRoom: boolean;
  #pooled = 0;
  #reserved = 0;
  #over = false;

  constructor(rooms: Rooms, holder: Holder, makesRoom: boolean) {
    this.#rooms = rooms;
    this.#holder = holder;
    this.#makesRoom = makesRoom;
  }

  take(bytes: number): void {
    const { pool, reserve } = this.#rooms;
    if (this.#makesRoom && pool.findFault(this.#holder, bytes) !== null) {
      reserve.check(this.#holder, bytes);
      if (this.#over) return;
      this.#reserved += bytes;
      reserve.add(this.#holder, bytes);
    } else {
      pool.check(this.#holder, bytes);
      this.add(bytes);
    }
  }

  add(bytes: number): void {
    if (this.#over) return;
    this.#pooled += bytes;
    this.#rooms.pool.add(this.#holder, bytes);
  }

  release(): void {
    if (!this.#over) {
      this.#over = true;
      this.#rooms.pool.drop(this.#holder, this.#pooled);
      this.#rooms.reserve.drop(this.#holder, this.#reserved);
    }
    this.#rooms.onRelease(this.#holder);
  }
}

/** So many bytes, of which one holder may have a share. */
class Pool {
  readonly #max: number;
  readonly #holderMax: number;
  readonly #byHolder = new Map<string, number>();
  held = 0;

  constructor(max: number) {
    this.#max = max;
    this.#holderMax = max * KEY_SHARE;
  }

  hasRoomFor(holder: string): boolean {
    return (this.#byHolder.get(holder) ?? 0) < this.#holderMax;
  }

  /** What keeps the bytes out; null when nothing does. Who only comes in needs some room, however little. */
  findFault(holder: Holder, bytes: number): 'overloaded' | 'too_much_traffic' | null {
    const wanted = Math.max(bytes, 1);
    if (this.held + wanted > this.#max) return 'overloaded';
    if (holder !== null && (this.#byHolder.get(holder) ?? 0) + wanted > this.#holderMax) return 'too_much_traffic';
    return null;
  }

  check(holder: Holder, bytes: number): void {
    const fault = this.findFault(holder, bytes);
    if (fault !== null) throw new WillcallError(fault, words[fault], { retryAfterSeconds: RETRY_AFTER_SECONDS });
  }

  add(holder: Holder, bytes: number): void {
    this.held += bytes;
    if (holder !== null) this.#byHolder.set(holder, (this.#byHolder.get(holder) ?? 0) + bytes);
  }

  drop(holder: Holder, bytes: number): void {
    this.held -= bytes;
    if (holder === null) return;
    const left = (this.#byHolder.get(holder) ?? 0) - bytes;
    if (left > 0) this.#byHolder.set(holder, left);
    else this.#byHolder.delete(holder);
  }
}
