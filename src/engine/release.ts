// The verb release: gives messages back for another delivery, at once or later.
// The instance itself releases what was leased to a client that has gone.

import type { Principal } from '../domain/access.ts';
import type { Logger } from '../domain/logger.ts';
import type { ReleaseEntry, SettleAnswer } from '../domain/settling.ts';
import type { HandedMessage } from '../store/packing/handed-messages.ts';
import type { SettleItem } from '../store/settling.ts';
import type { Drainable } from './batching/batcher.ts';
import { createSettleBatcher, type SettleDeps, type SettleRequest, settleReceipts } from './settle.ts';
import type { SubscriptionIds } from './waiting/waiter.ts';

export type ReleaseRequest = SettleRequest<ReleaseEntry>;

export interface ReleaseVerb {
  /** Outcomes are values; throws `subscription_not_found`. */
  release(request: ReleaseRequest): Promise<SettleAnswer>;
}

/** What was leased for an answer that did not reach its caller. */
export interface LostMessages {
  readonly ids: SubscriptionIds;
  readonly messages: readonly HandedMessage[];
  /** Of messages that have none of their own. */
  readonly nonce: bigint;
  readonly principal: Principal;
}

/**
 * Begins to release them without a count against the messages. Never throws: a lease ends by itself
 * too.
 */
export type HandBack = (lost: LostMessages) => void;

export interface ReleaseDeps extends SettleDeps {
  readonly logger: Logger;
}

export function createRelease(deps: ReleaseDeps): ReleaseVerb & Drainable & { readonly handBack: HandBack } {
  const { store, directory, wakeups, logger, deadLetterLog } = deps;
  const batcher = createSettleBatcher('release', deps, (batches, wait) => store.settling.release(batches, wait));

  async function release(request: ReleaseRequest): Promise<SettleAnswer> {
    return settleReceipts(directory, {
      verb: 'release',
      subscription: request.subscription,
      inputs: request.receipts,
      caller: request.caller,
      submit: (entry) => batcher.submit(entry.subscriptionId, entry),
      // A receive that finds nothing due yet learns from the database when to query again.
      onSettled: (subscription, outcomes) => {
        // Released, and not due again: it was the last attempt.
        const dead = outcomes.filter(({ outcome, dueAt }) => outcome === 'released' && dueAt === null).length;
        deadLetterLog.note(subscription, dead);
        wakeups.wakeSubscription(subscription.subscriptionId);
      },
    });
  }

  async function releaseLost({ ids, messages, nonce, principal }: LostMessages): Promise<void> {
    const { topicId, subscriptionId } = ids;
    const items = messages.map((message) => toItem(message, nonce));
    await batcher.submit(subscriptionId, {
      topicId,
      subscriptionId,
      items,
      principal,
      keyId: null,
      visibilityTimeoutSeconds: null,
    });
    wakeups.wakeSubscription(subscriptionId);
  }

  function handBack(lost: LostMessages): void {
    const fields = { subscriptionId: lost.ids.subscriptionId, messages: lost.messages.length };
    releaseLost(lost).then(
      () => logger.debug(fields, 'a client has gone: its messages were released'),
      (err: unknown) => {
        logger.warn({ ...fields, err }, 'the messages of a client that has gone wait for the end of their lease');
      },
    );
  }

  return { release, handBack, drained: () => batcher.drained() };
}

function toItem({ deliveryNo, sequence, nonce }: HandedMessage, nonceOfDelivery: bigint): SettleItem {
  return {
    deliveryNo,
    sequence,
    nonce: nonce ?? nonceOfDelivery,
    reference: null,
    delaySeconds: null,
    error: null,
  };
}
