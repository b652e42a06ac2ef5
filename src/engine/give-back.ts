// release, extend and reject: what a consumer does with a message that it does not (yet) acknowledge.

import type { SettleItem } from '../store/settling.ts';
import { wakeIfBounded } from './acknowledge.ts';
import { createSettleBatcher, type SettleRooms, settleReceipts } from './settle.ts';
import type { Engine } from './types.ts';
import type { SubscriptionIds } from './waiting/dispatcher.ts';

export function createGiveBack(options: SettleRooms) {
  const { store, directory, wakeups } = options;
  const releases = createSettleBatcher(options, (batches, wait) => store.settling.release(batches, wait));
  const extensions = createSettleBatcher(options, (batches, wait) => store.settling.extend(batches, wait));
  const rejections = createSettleBatcher(options, (batches, wait) => store.settling.reject(batches, wait));

  const release: Engine['release'] = (request) =>
    settleReceipts(directory, {
      verb: 'release',
      subscription: request.subscription,
      wishes: request.receipts,
      caller: request.caller,
      submit: (entry) => releases.submit(entry.subscriptionId, entry),
      // A receive that finds nothing due yet learns from the database when to look again.
      onSettled: (subscription) => wakeups.wakeSubscription(subscription.subscriptionId),
    });

  const extend: Engine['extend'] = (request) =>
    settleReceipts(directory, {
      verb: 'extend',
      subscription: request.subscription,
      wishes: request.receipts,
      caller: request.caller,
      visibilityTimeoutSeconds: request.visibilityTimeoutSeconds,
      submit: (entry) => extensions.submit(entry.subscriptionId, entry),
      onSettled: () => {},
    });

  const reject: Engine['reject'] = (request) =>
    settleReceipts(directory, {
      verb: 'reject',
      subscription: request.subscription,
      wishes: request.receipts,
      caller: request.caller,
      submit: (entry) => rejections.submit(entry.subscriptionId, entry),
      onSettled: (subscription) => wakeIfBounded(subscription, wakeups),
    });

  return {
    release,
    extend,
    reject,
    /** Releases without a count against the message, for messages that nobody is there to take. */
    handBack: async (ids: SubscriptionIds, items: readonly SettleItem[], principal: string): Promise<void> => {
      await releases.submit(ids.subscriptionId, { ...ids, items, principal, visibilityTimeoutSeconds: null });
      wakeups.wakeSubscription(ids.subscriptionId);
    },
    drained: async () => {
      await Promise.all([releases.drained(), extensions.drained(), rejections.drained()]);
    },
  };
}
