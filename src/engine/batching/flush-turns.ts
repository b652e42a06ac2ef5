// Flushes of all the hot verbs take turns. Each costs the service and the database something whatever it carries, so that few
// large ones do more than many small ones: while the turns are taken, callers gather. There is more than one turn, so that a flush
// of tens of megabytes does not hold up the others. See docs/decisions/0014.

export class FlushTurns {
  readonly #line: (() => boolean)[] = [];
  #free: number;

  constructor(turns: number) {
    this.#free = turns;
  }

  /**
   * Calls `begin` when it is its turn, in the order of the calls; at the earliest when the present turn of the event loop is
   * over, so that those who arrived together leave together. `begin` says whether it took the turn.
   */
  take(begin: () => boolean): void {
    setImmediate(() => {
      this.#line.push(begin);
      this.#call();
    });
  }

  /** A turn that was taken is over. */
  end(): void {
    this.#free += 1;
    this.#call();
  }

  #call(): void {
    while (this.#free > 0) {
      const begin = this.#line.shift();
      if (begin === undefined) return;
      this.#free -= 1;
      if (!begin()) this.#free += 1;
    }
  }
}
