// Low-water mark of the deferred queue: nothing that was due before it is left, so queries start
// here and need not walk over index entries that are dead: while a session keeps an old snapshot,
// those cannot be vacuumed away. A query sees what is committed; a transaction that was under way
// may still bring something that was due before the query. So the floor stays behind the queries:
// - by a margin that is longer than any statement may run; or
// - where transactions prove it, hardly at all. Whatever defers a message takes its transaction's
//   number first and reads the clock then; a query that hands something out reads the clock first.
//   Let a later query find nothing due, and every number up to the earlier query's be over. Then it
//   has seen all that was due before the earlier query: what has a lower number is over, and what
//   has a higher one read the clock later than the earlier query did. See docs/architecture.md,
//   "Floors", and docs/decisions/0015.

import type { ReceiveOutcome } from '../../store/deliveries.ts';

/** Longer than any statement of ours may still run. */
const MARGIN_MS = 12_000;
/** The database's clock may be set back by so much and nothing is missed. */
const CLOCK_MARGIN_MS = 250;

/** What a query says about the floor. */
export type QueryOutcome = Pick<ReceiveOutcome, 'checkedAt' | 'deferredDrained' | 'snapshot' | 'transactionNo'>;

/** A query that handed something out. */
interface Mark {
  readonly transactionNo: number;
  readonly atMs: number;
}

export class DeferredFloor {
  #at: Date | null = null;
  /** The query that is to be proved next. */
  #mark: Mark | null = null;
  /**
   * A query that is getting old, and the number of the last one that was: a transaction from before
   * it that still runs is none of Willcall's.
   */
  #ageing: Mark | null = null;
  #foreignUpTo = 0;

  /** Nothing that was due up to there is left; null: unknown, query everything. */
  get at(): Date | null {
    return this.#at;
  }

  /** The next query is about everything. */
  forget(): void {
    this.#at = null;
  }

  learn({ checkedAt, deferredDrained, snapshot, transactionNo }: QueryOutcome): void {
    if (checkedAt === null || !deferredDrained) return;
    const atMs = checkedAt.getTime();
    this.#raise(atMs - MARGIN_MS);
    if (this.#mark !== null && snapshot !== null && isOver(this.#mark.transactionNo, snapshot, this.#foreignUpTo)) {
      this.#raise(this.#mark.atMs - CLOCK_MARGIN_MS);
      this.#mark = null;
    }
    if (transactionNo === null) return;
    const mark = { transactionNo, atMs };
    this.#mark ??= mark;
    this.#ageing ??= mark;
    if (this.#ageing.atMs <= atMs - MARGIN_MS) {
      this.#foreignUpTo = this.#ageing.transactionNo;
      this.#ageing = mark;
    }
  }

  #raise(atMs: number): void {
    if (this.#at === null || atMs > this.#at.getTime()) this.#at = new Date(atMs);
  }
}

/** Whether every transaction up to this number is over, except those that are not Willcall's. */
function isOver(transactionNo: number, snapshot: string, foreignUpTo: number): boolean {
  const [, next, running = ''] = snapshot.split(':');
  if (Number(next) <= transactionNo) return false;
  if (running === '') return true;
  return running.split(',').every((number) => Number(number) > transactionNo || Number(number) <= foreignUpTo);
}
