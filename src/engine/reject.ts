// The verb reject: sets messages aside among the dead letters.

import type { RejectEntry, SettleAnswer } from '../domain/settling.ts';
import { wakeIfBounded } from './acknowledge.ts';
import type { Drainable } from './batching/batcher.ts';
import { createSettleBatcher, type SettleDeps, type SettleRequest, settleReceipts } from './settle.ts';

export type RejectRequest = SettleRequest<RejectEntry>;

export interface RejectVerb {
  /** Outcomes are values; throws `subscription_not_found`. */
  reject(request: RejectRequest): Promise<SettleAnswer>;
}

export function createReject(deps: SettleDeps): RejectVerb & Drainable {
  const { store, directory, wakeups, deadLetterLog } = deps;
  const batcher = createSettleBatcher('reject', deps, (batches, wait) => store.settling.reject(batches, wait));

  async function reject(request: RejectRequest): Promise<SettleAnswer> {
    return settleReceipts(directory, {
      verb: 'reject',
      subscription: request.subscription,
      inputs: request.receipts,
      caller: request.caller,
      submit: (entry) => batcher.submit(entry.subscriptionId, entry),
      onSettled: (subscription, outcomes) => {
        deadLetterLog.note(subscription, outcomes.filter(({ outcome }) => outcome === 'rejected').length);
        wakeIfBounded(subscription, wakeups);
      },
    });
  }

  return { reject, drained: () => batcher.drained() };
}
