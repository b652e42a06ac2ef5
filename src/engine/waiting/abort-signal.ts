// A minimal AbortSignal for parked receives, in a tenth of the memory of Node's
// (docs/decisions/0019). It has what is used here of an AbortSignal: aborted, and listeners that
// are called once.

type Listener = () => void;

/** Aborted when the caller has gone, or may not wait any longer. An AbortSignal is one. */
export interface CallerSignal {
  readonly aborted: boolean;
  addEventListener(type: 'abort', listener: Listener, options?: { readonly once: boolean }): void;
  removeEventListener(type: 'abort', listener: Listener): void;
}

export class LightAbortSignal implements CallerSignal {
  #aborted = false;
  /** One in most cases. */
  #listeners: Listener | Listener[] | null = null;

  get aborted(): boolean {
    return this.#aborted;
  }

  /** Calls all listeners; repeating it changes nothing. */
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
    else if (Array.isArray(this.#listeners)) {
      this.#listeners = this.#listeners.filter((other) => other !== listener);
    }
  }
}
