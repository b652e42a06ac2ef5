// Many timers for the price of one: callbacks are kept in slots of a few milliseconds, and one timer of Node's serves the
// earliest slot. A callback runs at its time or up to one slot later, never earlier.

export interface Timer {
  cancel(): void;
}

type Slots = Map<number, Set<SlotTimer>>;

class SlotTimer implements Timer {
  readonly #slots: Slots;
  readonly #slot: number;
  readonly callback: () => void;

  constructor(slots: Slots, slot: number, callback: () => void) {
    this.#slots = slots;
    this.#slot = slot;
    this.callback = callback;
  }

  cancel(): void {
    const left = this.#slots.get(this.#slot);
    left?.delete(this);
    if (left?.size === 0) this.#slots.delete(this.#slot);
  }
}

export class TimerWheel {
  readonly #slotMs: number;
  readonly #slots: Slots = new Map();
  #timer: NodeJS.Timeout | null = null;
  #nextSlot = Number.POSITIVE_INFINITY;

  constructor(slotMs: number) {
    this.#slotMs = slotMs;
  }

  /** Runs `callback` in `delayMs` milliseconds. */
  in(delayMs: number, callback: () => void): Timer {
    const slot = Math.ceil((performance.now() + Math.max(0, delayMs)) / this.#slotMs);
    const timer = new SlotTimer(this.#slots, slot, callback);
    const timers = this.#slots.get(slot);
    if (timers === undefined) this.#slots.set(slot, new Set([timer]));
    else timers.add(timer);
    if (slot < this.#nextSlot) this.#arm(slot);
    return timer;
  }

  /** Forgets everything. */
  stop(): void {
    if (this.#timer !== null) clearTimeout(this.#timer);
    this.#timer = null;
    this.#nextSlot = Number.POSITIVE_INFINITY;
    this.#slots.clear();
  }

  #arm(slot: number): void {
    if (this.#timer !== null) clearTimeout(this.#timer);
    this.#nextSlot = slot;
    this.#timer = setTimeout(() => this.#fire(), Math.max(0, slot * this.#slotMs - performance.now()));
  }

  #fire(): void {
    this.#timer = null;
    this.#nextSlot = Number.POSITIVE_INFINITY;
    const now = performance.now() / this.#slotMs;
    const due = [...this.#slots.keys()].filter((slot) => slot <= now).sort((a, b) => a - b);
    const timers = due.flatMap((slot) => [...(this.#slots.get(slot) ?? [])]);
    for (const slot of due) this.#slots.delete(slot);
    for (const { callback } of timers) callback();
    const next = Math.min(...this.#slots.keys());
    if (next < this.#nextSlot) this.#arm(next);
  }
}
