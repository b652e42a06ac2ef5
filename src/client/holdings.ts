// The messages in our hands: their visibility timeouts are moved on until they are settled, so that
// slow work is not done twice. The clock of the service is never compared with ours; the consumer
// asks for a visibility timeout and extends at a third of it, which leaves two chances after a
// failed one.

import { WillcallClientError } from './errors.ts';
import type { MessageCalls } from './message-calls.ts';
import type { Outcome, ReceivedMessage, SettleResult } from './types.ts';

export interface Holding {
  readonly message: ReceivedMessage;
  /** Aborted when the message is no longer ours. */
  readonly signal: AbortSignal;
  /**
   * `signing`: handled, and the acknowledgment is on its way; `settled`: nothing is left to do for
   * it.
   */
  state: 'held' | 'signing' | 'settled';
}

export interface Holdings {
  add(message: ReceivedMessage): Holding;
  drop(holding: Holding): void;
  /** Releases what is still in work, without an error, and tells its handlers. Never throws. */
  giveBack(): Promise<void>;
  /** No more timers. */
  stop(): void;
}

export interface HoldingsOptions {
  readonly calls: Pick<MessageCalls, 'extend' | 'release'>;
  readonly subscription: string;
  readonly visibilityTimeoutSeconds: number;
  readonly report: (fault: {
    readonly during: 'extend' | 'release';
    readonly error: unknown;
    readonly message?: ReceivedMessage;
  }) => void;
}

interface Kept extends Holding {
  readonly controller: AbortController;
  /** On our own clock. */
  renewedAt: number;
}

const RECEIPTS_MAX = 1000;
/** An attempt that takes longer than a period is overtaken by the next one. */
const EXTEND_ATTEMPTS_MAX = 2;

export function createHoldings(options: HoldingsOptions): Holdings {
  const { calls, subscription, visibilityTimeoutSeconds, report } = options;
  const kept = new Set<Kept>();
  const periodMs = (visibilityTimeoutSeconds * 1000) / 3;
  let extending = false;

  const extend = async (due: readonly Kept[]) => {
    const startedAt = performance.now();
    const receipts = due.map(({ message }) => message.receipt);
    try {
      const wanted = { visibilityTimeoutSeconds, attemptsMax: EXTEND_ATTEMPTS_MAX };
      const { results } = await calls.extend(subscription, receipts, wanted);
      for (const [index, result] of results.entries()) {
        const holding = due[index];
        if (holding !== undefined && kept.has(holding)) learn(holding, result, startedAt);
      }
    } catch (error) {
      report({ during: 'extend', error });
    }
  };
  const learn = (holding: Kept, { outcome }: SettleResult, startedAt: number) => {
    if (outcome === 'extended') holding.renewedAt = startedAt;
    // One that is being settled may have been while this call was on its way.
    else if (holding.state === 'held' && isLost(outcome)) {
      const error = new WillcallClientError('not_settled', `The message is no longer ours: ${outcome}.`);
      holding.controller.abort(error);
      report({ during: 'extend', error, message: holding.message });
    }
  };
  const tick = async () => {
    const now = performance.now();
    // Young ones have time until the next round.
    const due = [...kept].filter(({ renewedAt, signal }) => !signal.aborted && now - renewedAt >= periodMs / 2);
    if (extending || due.length === 0) return;
    extending = true;
    for (let at = 0; at < due.length; at += RECEIPTS_MAX) await extend(due.slice(at, at + RECEIPTS_MAX));
    extending = false;
  };
  const timer = setInterval(() => void tick(), periodMs);

  return {
    add(message) {
      const controller = new AbortController();
      const renewedAt = performance.now();
      const holding: Kept = { message, signal: controller.signal, state: 'held', controller, renewedAt };
      kept.add(holding);
      return holding;
    },
    drop: (holding) => void kept.delete(holding as Kept),
    async giveBack() {
      const unfinished = [...kept].filter(({ state }) => state === 'held');
      for (const holding of unfinished) {
        holding.state = 'settled';
        kept.delete(holding);
        holding.controller.abort(new DOMException('The consumer shuts down.', 'AbortError'));
      }
      for (let at = 0; at < unfinished.length; at += RECEIPTS_MAX) {
        const receipts = unfinished.slice(at, at + RECEIPTS_MAX).map(({ message }) => message.receipt);
        await calls.release(subscription, receipts).catch((error: unknown) => report({ during: 'release', error }));
      }
    },
    stop: () => clearInterval(timer),
  };
}

/**
 * `gone` is not lost yet: the visibility timeout is over, but as long as nobody else was handed the
 * message, signing for it late is still good.
 */
function isLost(outcome: Outcome): boolean {
  return outcome !== 'extended' && outcome !== 'gone';
}
