// The generator's own account of one queue, kept so that the load neither piles up nor starves:
// leases that are left to expire come back as more messages than were published, and somebody has
// to receive them instead of publishing more.

import { performance } from 'node:perf_hooks';

/**
 * A visibility timeout of a second, a sweep each second and a back-off of at least a second may lie
 * between.
 */
const ASLEEP_MS = 3500;

export class Backlog {
  readonly #enoughMessages: number;
  #waiting = 0;
  readonly #asleep: { messages: number; dueAt: number }[] = [];

  constructor(enoughMessages: number) {
    this.#enoughMessages = enoughMessages;
  }

  /** Whether so much waits in the queue that the next call should be a receive. */
  isFull(): boolean {
    const now = performance.now();
    for (let next = this.#asleep[0]; next !== undefined && next.dueAt <= now; next = this.#asleep[0]) {
      this.#asleep.shift();
      this.#waiting += next.messages;
    }
    return this.#waiting >= this.#enoughMessages;
  }

  published(messages: number): void {
    this.#waiting += messages;
  }

  received(messages: number): void {
    this.#waiting -= messages;
  }

  /** These were received and will not be acknowledged: they come back after a while. */
  abandoned(messages: number): void {
    this.#asleep.push({ messages, dueAt: performance.now() + ASLEEP_MS });
  }
}
