// In-flight byte budget: the bodies of requests that have arrived, and answers that are not yet
// written out. One budget for the instance, of which a key may use a quarter. When it is used up,
// new requests are refused and no more messages are received from the store; what frees bytes
// (acknowledging, releasing) may use a reserve on top. Bytes that were merely announced do not
// count, so that a stalled sender keeps no one out. Transports reserve bytes, the engine asks
// whether there is room. See docs/decisions/0023-fair-use.md.

import { WillcallError } from '../../domain/errors.ts';
import { ResumeList } from './resume-list.ts';

/** Of the budget, for one key. */
const KEY_SHARE = 1 / 4;
/** Of the budget, on top of it. */
const RESERVE_SHARE = 1 / 8;
const RETRY_AFTER_SECONDS = 1;

const words = {
  overloaded: 'Too much is on its way through this instance; try again in a moment.',
  too_much_traffic: 'The calls of this key hold too much at once: read the answers, and send less at the same time.',
};

/**
 * A key's id; '' for callers without one, who share a share; null for callers that only the whole
 * budget bounds.
 */
export type ByteOwner = string | null;

/**
 * The bytes of one request, from its head until its answer is written out or its connection has
 * ended.
 */
export interface Reservation {
  /** Adds bytes that arrived. Throws `overloaded` or `too_much_traffic`; then nothing was added. */
  take(bytes: number): void;
  /** Adds bytes of an answer that waits to be written out, whatever the budget. */
  add(bytes: number): void;
  /** Frees all bytes; repeating it changes nothing. */
  release(): void;
}

export class ByteBudget {
  readonly #pools: Pools;
  readonly #resumes: ResumeList;
  readonly #resumesByOwner = new Map<string, Set<() => void>>();

  constructor({ bytesMax }: { readonly bytesMax: number }) {
    this.#pools = {
      main: new Pool(bytesMax),
      reserve: new Pool(bytesMax * RESERVE_SHARE),
      onRelease: (owner) => this.#resume(owner),
    };
    this.#resumes = new ResumeList(() => bytesMax - this.#pools.main.bytes);
  }

  /** Bytes in use, by all owners. */
  get bytes(): number {
    return this.#pools.main.bytes + this.#pools.reserve.bytes;
  }

  /**
   * Opens the reservation of a request. `usesReserve`: the request frees bytes, so it may use the
   * reserve. Throws `overloaded` or `too_much_traffic`.
   */
  reserve(owner: ByteOwner, { usesReserve }: { readonly usesReserve: boolean }): Reservation {
    const reservation = new PooledReservation(this.#pools, owner, usesReserve);
    reservation.take(0);
    return reservation;
  }

  /** Whether there is room for more messages. */
  hasRoom(): boolean {
    return this.#pools.main.hasRoom();
  }

  /** Whether there is room for more messages for this owner. */
  hasRoomFor(owner: ByteOwner): boolean {
    return owner === null || this.#pools.main.hasRoomFor(owner);
  }

  /** True when there is room; else false, and `resume` is called once there is. */
  roomOr(resume: () => void): boolean {
    if (this.hasRoom()) return true;
    this.#resumes.add(resume);
    return false;
  }

  /** True when there is room for this owner; else false, and `resume` is called once there is. */
  roomForOr(owner: ByteOwner, resume: () => void): boolean {
    if (owner === null || this.hasRoomFor(owner)) return true;
    const resumes = this.#resumesByOwner.get(owner);
    if (resumes === undefined) this.#resumesByOwner.set(owner, new Set([resume]));
    else resumes.add(resume);
    return false;
  }

  /**
   * Counts what a receive brought until the next turn of the event loop, when transports have
   * reserved the answers.
   */
  countForTurn(bytes: number): void {
    if (bytes === 0) return;
    const { main } = this.#pools;
    main.add(null, bytes);
    setImmediate(() => {
      main.drop(null, bytes);
      this.#resume(null);
    });
  }

  #resume(owner: ByteOwner): void {
    const ofOwner = owner === null ? undefined : this.#resumesByOwner.get(owner);
    if (owner !== null && ofOwner !== undefined && this.hasRoomFor(owner)) {
      this.#resumesByOwner.delete(owner);
      for (const resume of ofOwner) resume();
    }
    this.#resumes.run();
  }
}

interface Pools {
  readonly main: Pool;
  /** For requests that free bytes, when the main pool is full: nothing else can use it up. */
  readonly reserve: Pool;
  readonly onRelease: (owner: ByteOwner) => void;
}

class PooledReservation implements Reservation {
  readonly #pools: Pools;
  readonly #owner: ByteOwner;
  readonly #usesReserve: boolean;
  #mainBytes = 0;
  #reserveBytes = 0;
  #released = false;

  constructor(pools: Pools, owner: ByteOwner, usesReserve: boolean) {
    this.#pools = pools;
    this.#owner = owner;
    this.#usesReserve = usesReserve;
  }

  take(bytes: number): void {
    const { main, reserve } = this.#pools;
    if (this.#usesReserve && main.findFault(this.#owner, bytes) !== null) {
      reserve.check(this.#owner, bytes);
      if (this.#released) return;
      this.#reserveBytes += bytes;
      reserve.add(this.#owner, bytes);
    } else {
      main.check(this.#owner, bytes);
      this.add(bytes);
    }
  }

  add(bytes: number): void {
    if (this.#released) return;
    this.#mainBytes += bytes;
    this.#pools.main.add(this.#owner, bytes);
  }

  release(): void {
    if (!this.#released) {
      this.#released = true;
      this.#pools.main.drop(this.#owner, this.#mainBytes);
      this.#pools.reserve.drop(this.#owner, this.#reserveBytes);
    }
    this.#pools.onRelease(this.#owner);
  }
}

/** So many bytes, of which one owner may use a share. */
class Pool {
  readonly #bytesMax: number;
  readonly #ownerBytesMax: number;
  readonly #bytesByOwner = new Map<string, number>();
  bytes = 0;

  constructor(bytesMax: number) {
    this.#bytesMax = bytesMax;
    this.#ownerBytesMax = bytesMax * KEY_SHARE;
  }

  hasRoom(): boolean {
    return this.bytes < this.#bytesMax;
  }

  hasRoomFor(owner: string): boolean {
    return this.#bytesOf(owner) < this.#ownerBytesMax;
  }

  /** Why the bytes do not fit; null when they do. Also a request without a body needs some room. */
  findFault(owner: ByteOwner, bytes: number): 'overloaded' | 'too_much_traffic' | null {
    const wanted = Math.max(bytes, 1);
    if (this.bytes + wanted > this.#bytesMax) return 'overloaded';
    if (owner !== null && this.#bytesOf(owner) + wanted > this.#ownerBytesMax) return 'too_much_traffic';
    return null;
  }

  check(owner: ByteOwner, bytes: number): void {
    const fault = this.findFault(owner, bytes);
    if (fault !== null) throw new WillcallError(fault, words[fault], { retryAfterSeconds: RETRY_AFTER_SECONDS });
  }

  add(owner: ByteOwner, bytes: number): void {
    this.bytes += bytes;
    if (owner !== null) this.#bytesByOwner.set(owner, this.#bytesOf(owner) + bytes);
  }

  drop(owner: ByteOwner, bytes: number): void {
    this.bytes -= bytes;
    if (owner === null) return;
    const left = this.#bytesOf(owner) - bytes;
    if (left > 0) this.#bytesByOwner.set(owner, left);
    else this.#bytesByOwner.delete(owner);
  }

  #bytesOf(owner: string): number {
    return this.#bytesByOwner.get(owner) ?? 0;
  }
}
