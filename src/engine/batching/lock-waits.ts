// Statements that wait for a lock hold a connection while they do, for seconds if need be. Only half of the connections may be
// held so, by all verbs together, so that a busy topic or subscription leaves the others enough to work with. Who comes
// when that many wait stands in line, without a connection.

export class LockWaits {
  readonly #max: number;
  readonly #line: (() => void)[] = [];
  #running = 0;

  constructor(connectionsMax: number) {
    this.#max = Math.max(1, Math.floor(connectionsMax / 2));
  }

  /** Does the work in its turn, in the order of the calls. */
  async run<T>(work: () => Promise<T>): Promise<T> {
    if (this.#running < this.#max) this.#running += 1;
    else await new Promise<void>((resolve) => this.#line.push(resolve));
    try {
      return await work();
    } finally {
      // The place goes on to the next in line, so that nobody slips in between.
      const next = this.#line.shift();
      if (next === undefined) this.#running -= 1;
      else next();
    }
  }
}
