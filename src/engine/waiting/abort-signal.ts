// The news that a caller has gone, for the thousands that are parked: it does what of an AbortSignal is used here, and takes a tenth
// of its memory (docs/decisions/0019).

type Listener = () => void;

/** What tells that a caller has gone. An AbortSignal is one. */
export interface CallerSignal {
  readonly aborted: boolean;
  addEventListener(type: 'abort', listener: Listener, options?: { readonly once: boolean }): void;
  removeEventListener(type: 'abort', listener: Listener): void;
}

export class Departure implements CallerSignal {
  #aborted = false;
  /** Mostly there is one. */
  #listeners: Listener | Listener[] | null = null;

  get aborted(): boolean {
    return this.#aborted;
  }

  /** Tells everybody who listens, once. */
  abort(): void {
    if (this.#aborted) return;
    this.#aborted = true;
    const listeners = this.#listeners;
    this.#listeners = null;
    if (typeof listeners === 'function') listeners();
    else for (const listener of listeners ?? []) listener();
  }

  addEventListener(_type: 'abort', listener: Listener): void {
    if (this.#aborted) return;
    if (this.#listeners === null) this.#listeners = listener;
    else if (typeof this.#listeners === 'function') this.#listeners = [this.#listeners, listener];
    else this.#listeners.push(listener);
  }

  removeEventListener(_type: 'abort', listener: Listener): void {
    if (this.#listeners === listener) this.#listeners = null;
    else if (Array.isArray(this.#listeners)) this.#listeners = this.#listeners.filter((one) => one !== listener);
  }
}
