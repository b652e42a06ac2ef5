// What the verbs acknowledge, release, extend and reject share.
// It reads receipts, joins calls into batches, and puts outcomes back in the order of the request.

import type { Principal } from '../domain/access.ts';
import type { Observer } from '../domain/observer.ts';
import { parseReceipt } from '../domain/receipt.ts';
import type { ConsumerError, SettleAnswer, SettleResult, SettleVerb } from '../domain/settling.ts';
import { isOk } from '../domain/settling.ts';
import type { Subscription } from '../domain/subscription.ts';
import type { Store } from '../store/index.ts';
import type { ItemOutcome, SettleBatch, SettleCall, SettleItem, SettleOutcome } from '../store/settling.ts';
import { Batcher, type Group } from './batching/batcher.ts';
import type { Slots } from './batching/slots.ts';
import type { DeadLetterLog } from './dead-letter-log.ts';
import type { Directory } from './lookups/directory.ts';
import { observeFlush } from './observing.ts';
import type { Wakeups } from './waiting/wakeups.ts';

const GROUPS_MAX = 200;
const ITEMS_MAX = 5_000;
const PENDING_ENTRIES_MAX = 20_000;
/** Receipts of one subscription in a flush that it shares with others; with more it goes alone. */
export const SHARED_ITEMS_MAX = 200;
const ALONE_ITEMS_MAX = 1_000;

/** A request of one of the four verbs; `Entry` is what it says of one receipt. */
export interface SettleRequest<Entry> {
  readonly subscription: string;
  readonly receipts: readonly Entry[];
  readonly caller: Principal;
  /** The key that was presented. Absent or null for the admin key. */
  readonly keyId?: string | null | undefined;
}

export interface SettleDeps {
  readonly store: Store;
  readonly directory: Directory;
  readonly wakeups: Wakeups;
  readonly turns: Slots;
  readonly lockWaits: Slots;
  /** Slots of settling flushes of one subscription with many receipts. */
  readonly largeFlushes: Slots;
  readonly observer: Observer;
  readonly deadLetterLog: DeadLetterLog;
}

/** One call's share of a flush. */
export interface SettleEntry extends SettleCall {
  readonly topicId: number;
  readonly subscriptionId: number;
}

/** By item; 'gone' when the subscription is no more. */
export type SettleReply = readonly ItemOutcome[] | 'gone';

export type SettleBatcher = Batcher<SettleEntry, SettleReply>;

/** What any of the verbs may say of one receipt. */
export interface SettleInput {
  readonly receipt: string;
  readonly reference?: string | null;
  readonly delaySeconds?: number | null;
  readonly error?: ConsumerError | null;
}

/** For a receipt that is unreadable or another subscription's: no delivery has this number. */
const UNREADABLE = { deliveryNo: 0, nonce: 0n, sequence: 0 };

export function createSettleBatcher(
  verb: SettleVerb,
  { turns, lockWaits, largeFlushes, observer }: Pick<SettleDeps, 'turns' | 'lockWaits' | 'largeFlushes' | 'observer'>,
  settle: (batches: readonly SettleBatch[], wait: boolean) => Promise<readonly SettleOutcome[]>,
): SettleBatcher {
  async function flush(groups: readonly Group<SettleEntry>[], wait: boolean) {
    const batches = groups.map(({ entries }) => ({
      topicId: entries[0]?.topicId ?? 0,
      subscriptionId: entries[0]?.subscriptionId ?? 0,
      calls: entries,
    }));
    const outcomes = await settle(batches, wait);
    return outcomes.map((outcome, i) => {
      if (outcome.outcome === 'busy') return 'busy';
      if (outcome.outcome === 'settled') return outcome.calls;
      return (groups[i]?.entries ?? []).map(() => 'gone' as const);
    });
  }

  return new Batcher<SettleEntry, SettleReply>({
    flush: observeFlush(verb, observer, flush),
    weigh: ({ items }) => ({ items: items.length, bytes: 0 }),
    groupsMax: GROUPS_MAX,
    itemsMax: ITEMS_MAX,
    turns,
    lockWaits,
    large: { sharedItemsMax: SHARED_ITEMS_MAX, itemsMax: ALONE_ITEMS_MAX, slots: largeFlushes },
    pendingEntriesMax: PENDING_ENTRIES_MAX,
  });
}

export interface SettleJob {
  readonly verb: SettleVerb;
  readonly subscription: string;
  readonly inputs: readonly SettleInput[];
  readonly caller: string;
  readonly keyId?: string | null | undefined;
  readonly visibilityTimeoutSeconds?: number | undefined;
  /** All or nothing: what `submit` does then. */
  readonly atomic?: boolean;
  /** Settles one call; 'gone' makes the name be looked up again. */
  readonly submit: (entry: SettleEntry) => Promise<SettleReply>;
  /** Called after the commit. */
  readonly onSettled: (subscription: Subscription, outcomes: readonly ItemOutcome[]) => void;
}

/** Throws `subscription_not_found`. */
export function settleReceipts(directory: Directory, job: SettleJob): Promise<SettleAnswer> {
  return directory.withSubscription(job.subscription, async (subscription) => {
    const outcomes = await job.submit({
      topicId: subscription.topicId,
      subscriptionId: subscription.subscriptionId,
      principal: job.caller,
      keyId: job.keyId ?? null,
      visibilityTimeoutSeconds: job.visibilityTimeoutSeconds ?? null,
      items: job.inputs.map((input) => toItem(input, subscription)),
    });
    if (outcomes === 'gone') return outcomes;
    job.onSettled(subscription, outcomes);
    const results = job.inputs.map((input, i) => toResult(input, outcomes[i], subscription));
    const failed = results.filter((result) => !isOk(job.verb, result.outcome)).length;
    return { results, failed, refused: job.atomic === true && failed > 0 };
  });
}

function toItem(input: SettleInput, subscription: Subscription): SettleItem {
  const parts = parseReceipt(input.receipt);
  const ours =
    parts !== null && parts.topicId === subscription.topicId && parts.subscriptionId === subscription.subscriptionId;
  const { deliveryNo, nonce, sequence } = ours ? parts : UNREADABLE;
  return {
    deliveryNo,
    nonce,
    sequence,
    reference: input.reference ?? null,
    delaySeconds: input.delaySeconds ?? null,
    error: input.error ?? null,
  };
}

function toResult(
  { receipt, reference = null }: SettleInput,
  outcome: ItemOutcome | undefined,
  { topic, name }: Subscription,
): SettleResult {
  const kept = outcome?.reference ?? null;
  return {
    receipt,
    topic,
    subscription: name,
    messageId: outcome?.messageId?.toString('base64url') ?? null,
    outcome: outcome?.outcome ?? 'invalid_receipt',
    ackNo: outcome?.ackNo ?? null,
    acknowledgedAt: outcome?.acknowledgedAt ?? null,
    reference: kept,
    referenceDiffers: outcome?.outcome === 'already_acknowledged' && reference !== null && reference !== kept,
    visibleUntil: outcome?.outcome === 'extended' ? outcome.dueAt : null,
  };
}
