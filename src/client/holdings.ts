// The messages that this consumer has received and not settled, and the heartbeat of their leases.
// Every lease is extended at a third of its visibility timeout, which leaves two chances after a
// failed extension. Only the local clock is used; it is never compared with that of the service.

import { WillcallClientError } from './errors.ts';
import type { MessageCalls } from './message-calls.ts';
import type { Outcome, ReceivedMessage, SettleResult } from './types.ts';

export interface Holding {
  readonly message: ReceivedMessage;
  /** Aborted when another consumer has the message, or may get it. */
  readonly signal: AbortSignal;
  /** `signing`: handled, the acknowledgment is being sent; `settled`: nothing is left to do. */
  state: 'held' | 'signing' | 'settled';
}

export interface Holdings {
  add(message: ReceivedMessage): Holding;
  drop(holding: Holding): void;
  /** Releases unfinished messages without an error, and aborts their signals. Never throws. */
  giveBack(): Promise<void>;
  /** Stops the heartbeat. */
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
  /** Milliseconds of `performance.now()`. */
  renewedAt: number;
}

const RECEIPTS_MAX = 1000;
/** Few, because the next period sends a fresh extend. */
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
    // A message that is being acknowledged may have been settled during this call.
    else if (holding.state === 'held' && isLost(outcome)) {
      const error = new WillcallClientError(
        'not_settled',
        `The message cannot be settled by this consumer any more: ${outcome}.`,
      );
      holding.controller.abort(error);
      report({ during: 'extend', error, message: holding.message });
    }
  };
  const tick = async () => {
    const now = performance.now();
    // Those renewed less than half a period ago are due in the next round.
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
 * `gone` does not mean lost: the visibility timeout is over, but a late acknowledgment is accepted
 * as long as no other consumer was given the message.
 */
function isLost(outcome: Outcome): boolean {
  return outcome !== 'extended' && outcome !== 'gone';
}
