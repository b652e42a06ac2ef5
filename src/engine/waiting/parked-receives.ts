// Parked receives: the receives of this instance that are under way, most of them waiting.
// They are bounded, in all and by key, because each takes memory for up to half a minute; what is
// beyond is refused before anything is settled or leased. When a key is revoked or expires, its
// waits end with an empty answer: at once on a notification, else within about a second.

import { WillcallError } from '../../domain/errors.ts';
import type { FairUse } from '../../domain/fair-use.ts';
import type { Logger } from '../../domain/logger.ts';
import type { Keyring } from '../lookups/keyring.ts';
import { type CallerSignal, LightAbortSignal } from './abort-signal.ts';

/** When another receive ends is not known; half a minute is the longest. */
const RETRY_AFTER_SECONDS = 5;

export interface ParkedReceivesOptions {
  readonly keyring: Keyring;
  readonly logger: Logger;
  readonly fairUse: Pick<FairUse, 'keyParkedReceives' | 'parkedReceives'>;
}

/** What is asked of a receive before it is let in. */
export interface ReceiveToAdmit {
  readonly keyId?: string | null | undefined;
  readonly waitSeconds: number;
  readonly signal: CallerSignal;
}

export interface ParkedReceive {
  readonly signal: CallerSignal;
}

/** A receive that waits under a key: its signal is also aborted when the key ends. */
class KeyWait implements ParkedReceive {
  readonly keyId: string;
  readonly signal = new LightAbortSignal();
  readonly #caller: CallerSignal;
  readonly #leave = () => this.signal.abort();

  constructor(keyId: string, caller: CallerSignal) {
    this.keyId = keyId;
    this.#caller = caller;
    if (caller.aborted) this.#leave();
    else caller.addEventListener('abort', this.#leave, { once: true });
  }

  forgetCaller(): void {
    this.#caller.removeEventListener('abort', this.#leave);
  }
}

export class ParkedReceives {
  readonly #options: ParkedReceivesOptions;
  readonly #waits = new Map<string, Set<KeyWait>>();
  #underWay = 0;

  constructor(options: ParkedReceivesOptions) {
    this.#options = options;
  }

  /**
   * Lets a receive in, to be let out when it is over. Its signal tells that its client has gone or
   * its key has ended. Throws `overloaded` or `too_many_receives`.
   */
  enter(request: ReceiveToAdmit): ParkedReceive {
    this.#checkRoom(request);
    this.#underWay += 1;
    const { keyId, signal: caller } = request;
    if (keyId === undefined || keyId === null || request.waitSeconds === 0) return { signal: caller };
    const wait = new KeyWait(keyId, caller);
    const waits = this.#waits.get(keyId);
    if (waits === undefined) this.#waits.set(keyId, new Set([wait]));
    else waits.add(wait);
    return wait;
  }

  leave(receive: ParkedReceive): void {
    this.#underWay -= 1;
    if (!(receive instanceof KeyWait)) return;
    receive.forgetCaller();
    const waits = this.#waits.get(receive.keyId);
    waits?.delete(receive);
    if (waits?.size === 0) this.#waits.delete(receive.keyId);
  }

  /** Ends the waits of keys that are no more. To be called each second. */
  async check(): Promise<void> {
    this.#endWaitsOf(await this.#options.keyring.tend([...this.#waits.keys()]));
  }

  /** The same for one key, on notification that it has changed. */
  onKey(keyId: string): void {
    if (!this.#waits.has(keyId)) return;
    this.#options.keyring.findEnded([keyId]).then(
      (ended) => this.#endWaitsOf(ended),
      (err: unknown) => this.#options.logger.debug({ err, keyId }, 'the key of a parked receive was not looked up'),
    );
  }

  /** What does not wait is none of its key's parked ones, but takes its place among all. */
  #checkRoom({ keyId, waitSeconds }: ReceiveToAdmit): void {
    const { keyParkedReceives, parkedReceives } = this.#options.fairUse;
    if (this.#underWay >= parkedReceives) {
      throw new WillcallError('overloaded', 'This instance has as many receives waiting as it may; try again.', {
        retryAfterSeconds: RETRY_AFTER_SECONDS,
      });
    }
    if (waitSeconds === 0 || keyId === undefined || keyId === null) return;
    if ((this.#waits.get(keyId)?.size ?? 0) < keyParkedReceives) return;
    throw new WillcallError(
      'too_many_receives',
      `The key has ${keyParkedReceives} receives waiting, as many as it may: wait for one of them.`,
      { retryAfterSeconds: RETRY_AFTER_SECONDS },
    );
  }

  #endWaitsOf(keyIds: readonly string[]): void {
    for (const keyId of keyIds) {
      for (const { signal } of this.#waits.get(keyId) ?? []) signal.abort();
    }
  }
}
