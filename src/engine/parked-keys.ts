// The keys of parked receives. A receive may wait for half a minute; a key that is revoked or expires meanwhile ends the
// wait with an empty answer, at once when a wakeup says so, else within about a second.

import type { Logger } from '../domain/logger.ts';
import type { Keyring } from './keyring.ts';
import type { Engine } from './types.ts';

export class ParkedKeys {
  readonly #keyring: Keyring;
  readonly #logger: Logger;
  readonly #waits = new Map<string, Set<AbortController>>();

  constructor({ keyring, logger }: { keyring: Keyring; logger: Logger }) {
    this.#keyring = keyring;
    this.#logger = logger;
  }

  /** The same receive, but for one that would wait longer than its key lives. */
  guard(receive: Engine['receive']): Engine['receive'] {
    return async (request) => {
      const { keyId, signal } = request;
      if (keyId === undefined || keyId === null || request.waitSeconds === 0) return receive(request);
      const wait = new AbortController();
      const leave = (): void => wait.abort();
      if (signal.aborted) leave();
      else signal.addEventListener('abort', leave, { once: true });
      this.#add(keyId, wait);
      try {
        return await receive({ ...request, signal: wait.signal });
      } finally {
        this.#remove(keyId, wait);
        signal.removeEventListener('abort', leave);
      }
    };
  }

  /** Ends the waits of keys that are no more. */
  async check(): Promise<void> {
    if (this.#waits.size > 0) this.#endThoseOf(await this.#keyring.findEnded([...this.#waits.keys()]));
  }

  /** The same for one key, of which something was heard. */
  hear(keyId: string): void {
    if (!this.#waits.has(keyId)) return;
    this.#keyring.findEnded([keyId]).then(
      (ended) => this.#endThoseOf(ended),
      (err: unknown) => this.#logger.debug({ err, keyId }, 'the key of a parked receive was not looked at'),
    );
  }

  #add(keyId: string, wait: AbortController): void {
    const waits = this.#waits.get(keyId);
    if (waits === undefined) this.#waits.set(keyId, new Set([wait]));
    else waits.add(wait);
  }

  #remove(keyId: string, wait: AbortController): void {
    const waits = this.#waits.get(keyId);
    waits?.delete(wait);
    if (waits?.size === 0) this.#waits.delete(keyId);
  }

  #endThoseOf(keyIds: readonly string[]): void {
    for (const keyId of keyIds) {
      for (const wait of this.#waits.get(keyId) ?? []) wait.abort();
    }
  }
}
