// A counting semaphore with a queue: so much work at a time, and the rest in the order of asking.
// A slot that becomes free goes to the next in the queue, so that no other caller overtakes.

export class Slots {
  readonly #queue: (() => boolean)[] = [];
  #free: number;

  constructor(slots: number) {
    this.#free = slots;
  }

  /**
   * Calls `begin` once a slot is free. It returns whether it keeps the slot, until `release` is
   * called.
   */
  take(begin: () => boolean): void {
    this.#queue.push(begin);
    this.#beginNext();
  }

  /** A slot that was kept is free again. */
  release(): void {
    this.#free += 1;
    this.#beginNext();
  }

  /** Does the work while it keeps a slot. */
  async run<T>(work: () => Promise<T>): Promise<T> {
    await new Promise<void>((resolve) => {
      this.take(() => {
        resolve();
        return true;
      });
    });
    try {
      return await work();
    } finally {
      this.release();
    }
  }

  #beginNext(): void {
    while (this.#free > 0) {
      const begin = this.#queue.shift();
      if (begin === undefined) return;
      this.#free -= 1;
      if (!begin()) this.#free += 1;
    }
  }
}
