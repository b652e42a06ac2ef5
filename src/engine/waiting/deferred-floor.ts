// Up to where nothing deferred of a subscription is left, so that looks need not walk over what was
// taken there already: while somebody holds an old snapshot, those dead rows cannot be vacuumed
// away. A look sees what is committed; a transaction that was under way may still bring something
// that was due before the look. So the floor stays behind the looks:
// - by a margin that is longer than any statement may run; or
// - where transactions prove it, hardly at all. Whatever defers a message takes its transaction's
//   number first and reads the clock then; a look that hands something out reads the clock first.
//   Let a later look find nothing due, and every number up to the earlier look's be over. Then it
//   has seen all that was due before the earlier look: what has a lower number is over, and what
//   has a higher one read the clock later than the earlier look did. See docs/architecture.md,
//   "Floors".

import type { ReceiveOutcome } from '../../store/deliveries.ts';

/** Longer than any statement of ours may still run. */
const MARGIN_MS = 12_000;
/**
 * So far the database's clock may be set back; if it is set back further, the next look at
 * everything finds the rest.
 */
const CLOCK_MARGIN_MS = 250;

/** What a look tells of the floor. */
export type Seen = Pick<ReceiveOutcome, 'checkedAt' | 'deferredDrained' | 'snapshot' | 'transactionNo'>;

/** A look that handed something out. */
interface Mark {
  readonly transactionNo: number;
  readonly atMs: number;
}

export class DeferredFloor {
  #at: Date | null = null;
  /** The look that is to be proved next. */
  #mark: Mark | null = null;
  /**
   * A look that is getting old, and the number of one that is: what still runs from before it is
   * nobody of ours.
   */
  #ageing: Mark | null = null;
  #foreignUpTo = 0;

  /** Nothing deferred up to there is left; null: unknown, look at everything. */
  get at(): Date | null {
    return this.#at;
  }

  /** The next look is at everything. */
  forget(): void {
    this.#at = null;
  }

  learn({ checkedAt, deferredDrained, snapshot, transactionNo }: Seen): void {
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

/** Whether every transaction up to this number is over, but for those that are not ours. */
function isOver(transactionNo: number, snapshot: string, foreignUpTo: number): boolean {
  const [, next, running = ''] = snapshot.split(':');
  if (Number(next) <= transactionNo) return false;
  if (running === '') return true;
  return running.split(',').every((number) => Number(number) > transactionNo || Number(number) <= foreignUpTo);
}
