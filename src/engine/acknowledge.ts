// acknowledge: signs for messages. Each receipt's outcome is a value; what was acknowledged is in the ledger when the
// caller is answered. An atomic call is a flush of its own: all or nothing needs a transaction that is its alone.

import type { Subscription } from '../domain/subscription.ts';
import { createSettleBatcher, type SettleEntry, type SettleReply, type SettleRooms, settleReceipts } from './settle.ts';
import type { AcknowledgeRequest, Engine } from './types.ts';
import type { Wakeups } from './waiting/wakeups.ts';

export function createAcknowledge(options: SettleRooms) {
  const { store, directory, wakeups, lockWaits } = options;
  const batcher = createSettleBatcher(options, (batches, wait) => store.settling.acknowledge(batches, wait, false));

  const alone = async (entry: SettleEntry): Promise<SettleReply> => {
    const batch = { topicId: entry.topicId, subscriptionId: entry.subscriptionId, calls: [entry] };
    const settle = (wait: boolean) => store.settling.acknowledge([batch], wait, true);
    let [outcome] = await settle(false);
    if (outcome?.outcome === 'busy') [outcome] = await lockWaits.run(() => settle(true));
    return outcome?.outcome === 'settled' ? (outcome.calls[0] ?? []) : 'gone';
  };

  const acknowledge: Engine['acknowledge'] = (request: AcknowledgeRequest) =>
    settleReceipts(directory, {
      verb: 'acknowledge',
      subscription: request.subscription,
      wishes: request.receipts,
      caller: request.caller,
      atomic: request.atomic,
      submit: (entry) => (request.atomic ? alone(entry) : batcher.submit(entry.subscriptionId, entry)),
      onSettled: (subscription) => wakeIfBounded(subscription, wakeups),
    });

  return { acknowledge, drained: () => batcher.drained() };
}

/** What leaves a full `max_in_flight` makes room for what waits behind it. */
export function wakeIfBounded(subscription: Subscription, wakeups: Wakeups): void {
  if (subscription.maxInFlight !== null) wakeups.wakeSubscription(subscription.subscriptionId);
}
