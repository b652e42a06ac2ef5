// Acknowledgments that are being sent. Each is kept until the service has answered it.
// Repeating one is safe; losing one would cause a second delivery.

import { WillcallClientError } from './errors.ts';
import type { Holding, Holdings } from './holdings.ts';
import type { MessageCalls } from './message-calls.ts';
import type { Outcome, ReceivedMessage, SettleResult } from './types.ts';

export interface Signature {
  readonly receipt: string;
  readonly reference?: string;
}

export interface Signatures {
  add(holding: Holding, reference: string | undefined): void;
  /** Takes what the next receive carries; `learn` or `putBack` must follow. */
  take(): Signature[];
  learn(taken: readonly Signature[], results: readonly SettleResult[]): void;
  putBack(taken: readonly Signature[]): void;
  /** Sends what has been added in a call of its own; what is added meanwhile goes with the next. */
  flush(): void;
  /** Sends everything, or gives up when the service is unavailable. Never throws. */
  finish(): Promise<void>;
}

export interface SignaturesOptions {
  readonly calls: Pick<MessageCalls, 'acknowledge'>;
  readonly subscription: string;
  readonly holdings: Pick<Holdings, 'drop'>;
  readonly report: (fault: {
    readonly during: 'acknowledge';
    readonly error: unknown;
    readonly message?: ReceivedMessage;
  }) => void;
}

const RECEIPTS_MAX = 1000;
const okOutcomes: readonly Outcome[] = ['acknowledged', 'acknowledged_late', 'already_acknowledged'];

export function createSignatures({ calls, subscription, holdings, report }: SignaturesOptions): Signatures {
  const waiting = new Map<string, Signature>();
  const holdingOf = new Map<string, Holding>();
  let sending: Promise<void> | null = null;

  const take = () => {
    const taken = [...waiting.values()].slice(0, RECEIPTS_MAX);
    for (const { receipt } of taken) waiting.delete(receipt);
    return taken;
  };
  const putBack = (taken: readonly Signature[]) => {
    for (const signature of taken) waiting.set(signature.receipt, signature);
  };
  const learn = (taken: readonly Signature[], results: readonly SettleResult[]) => {
    for (const [index, { receipt }] of taken.entries()) {
      const holding = holdingOf.get(receipt);
      const outcome = results[index]?.outcome;
      if (holding === undefined || outcome === undefined) continue;
      holdingOf.delete(receipt);
      holding.state = 'settled';
      holdings.drop(holding);
      if (okOutcomes.includes(outcome)) continue;
      const error = new WillcallClientError(
        'not_settled',
        `The work was done, but the message was not acknowledged: ${outcome}.`,
      );
      report({ during: 'acknowledge', error, message: holding.message });
    }
  };
  const send = async () => {
    while (waiting.size > 0) {
      const taken = take();
      try {
        learn(taken, (await calls.acknowledge(subscription, taken)).results);
      } catch (error) {
        putBack(taken);
        report({ during: 'acknowledge', error });
        return;
      }
    }
  };
  const flush = () => {
    sending ??= send().finally(() => {
      sending = null;
    });
  };
  return {
    add(holding, reference) {
      const { receipt } = holding.message;
      holding.state = 'signing';
      holdingOf.set(receipt, holding);
      waiting.set(receipt, { receipt, ...(reference !== undefined && { reference }) });
    },
    take,
    learn,
    putBack,
    flush,
    async finish() {
      await sending;
      await send();
    },
  };
}
