// The verb extend: moves the end of leases, counted from now.

import type { ExtendEntry, SettleAnswer } from '../domain/settling.ts';
import type { Drainable } from './batching/batcher.ts';
import { createSettleBatcher, type SettleDeps, type SettleRequest, settleReceipts } from './settle.ts';

export interface ExtendRequest extends SettleRequest<ExtendEntry> {
  /** Absent: the subscription's own. Counted from now. */
  readonly visibilityTimeoutSeconds?: number | undefined;
}

export interface ExtendVerb {
  /** Outcomes are values; throws `subscription_not_found`. */
  extend(request: ExtendRequest): Promise<SettleAnswer>;
}

export function createExtend(deps: SettleDeps): ExtendVerb & Drainable {
  const { store, directory } = deps;
  const batcher = createSettleBatcher('extend', deps, (batches, wait) => store.settling.extend(batches, wait));

  async function extend(request: ExtendRequest): Promise<SettleAnswer> {
    return settleReceipts(directory, {
      verb: 'extend',
      subscription: request.subscription,
      inputs: request.receipts,
      caller: request.caller,
      visibilityTimeoutSeconds: request.visibilityTimeoutSeconds,
      submit: (entry) => batcher.submit(entry.subscriptionId, entry),
      onSettled: () => {},
    });
  }

  return { extend, drained: () => batcher.drained() };
}
