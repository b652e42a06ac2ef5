// The verb acknowledge: signs for messages. Each receipt's outcome is a value; what was
// acknowledged is in the ledger when the caller is answered. An atomic call is a flush of its own:
// all or nothing needs a transaction that is its alone.

import type { AcknowledgeEntry, SettleAnswer } from '../domain/settling.ts';
import type { Subscription } from '../domain/subscription.ts';
import type { Drainable } from './batching/batcher.ts';
import {
  createSettleBatcher,
  type SettleDeps,
  type SettleEntry,
  type SettleReply,
  type SettleRequest,
  SHARED_ITEMS_MAX,
  settleReceipts,
} from './settle.ts';
import type { Wakeups } from './waiting/wakeups.ts';

export interface AcknowledgeRequest extends SettleRequest<AcknowledgeEntry> {
  readonly atomic: boolean;
}

export interface AcknowledgeVerb {
  /** Outcomes are values; throws `subscription_not_found`. */
  acknowledge(request: AcknowledgeRequest): Promise<SettleAnswer>;
}

export function createAcknowledge(deps: SettleDeps): AcknowledgeVerb & Drainable {
  const { store, directory, wakeups, lockWaits, largeFlushes } = deps;
  const batcher = createSettleBatcher('acknowledge', deps, (batches, wait) =>
    store.settling.acknowledge(batches, wait, false),
  );

  async function settleAlone(entry: SettleEntry): Promise<SettleReply> {
    const batch = { topicId: entry.topicId, subscriptionId: entry.subscriptionId, calls: [entry] };
    const settle = (wait: boolean) => store.settling.acknowledge([batch], wait, true);
    const isLarge = entry.items.length > SHARED_ITEMS_MAX;
    let [outcome] = await (isLarge ? largeFlushes.run(() => settle(false)) : settle(false));
    if (outcome?.outcome === 'busy') [outcome] = await lockWaits.run(() => settle(true));
    return outcome?.outcome === 'settled' ? (outcome.calls[0] ?? []) : 'gone';
  }

  async function acknowledge(request: AcknowledgeRequest): Promise<SettleAnswer> {
    return settleReceipts(directory, {
      verb: 'acknowledge',
      subscription: request.subscription,
      inputs: request.receipts,
      caller: request.caller,
      keyId: request.keyId,
      atomic: request.atomic,
      submit: (entry) => (request.atomic ? settleAlone(entry) : batcher.submit(entry.subscriptionId, entry)),
      onSettled: (subscription) => wakeIfBounded(subscription, wakeups),
    });
  }

  return { acknowledge, drained: () => batcher.drained() };
}

/** Wakes a subscription with `max_in_flight`: what left it makes room for what waits behind it. */
export function wakeIfBounded(subscription: Subscription, wakeups: Wakeups): void {
  if (subscription.maxInFlight !== null) wakeups.wakeSubscription(subscription.subscriptionId);
}
