// The verb receive: settles what the caller acknowledges along the way, then delivers or waits.
// The acknowledgment is committed before the receive begins; if one of its receipts is not ok, the
// answer does not wait.

import type { Principal } from '../domain/access.ts';
import { WillcallError } from '../domain/errors.ts';
import type { ReceivedMessage } from '../domain/message.ts';
import { formatReceipt } from '../domain/receipt.ts';
import type { AcknowledgeEntry, SettleResult } from '../domain/settling.ts';
import type { WaiterRow } from '../store/deliveries.ts';
import type { HandedMessage } from '../store/packing/handed-messages.ts';
import type { AcknowledgeVerb } from './acknowledge.ts';
import type { Directory } from './lookups/directory.ts';
import type { HandBack } from './release.ts';
import type { CallerSignal } from './waiting/abort-signal.ts';
import type { Dispatchers } from './waiting/dispatchers.ts';
import type { ParkedReceives } from './waiting/parked-receives.ts';
import type { Handed, SubscriptionIds, WaiterRequest } from './waiting/waiter.ts';

export interface ReceiveRequest {
  readonly subscription: string;
  readonly maxMessages: number;
  readonly maxBytes: number;
  /** 0 answers at once. */
  readonly waitSeconds: number;
  /** Absent: the subscription's own. */
  readonly visibilityTimeoutSeconds?: number | undefined;
  /** Receipts of the last batch, settled (and committed) before the receive parks. */
  readonly acknowledge: readonly AcknowledgeEntry[];
  /**
   * For a repetition whose first answer was lost. While a lease of the delivery lives that the
   * caller got under this key, what is outstanding of it is delivered again, with the same
   * receipts and a new visibility timeout.
   */
  readonly idempotencyKey?: string | undefined;
  readonly caller: Principal;
  /**
   * The key that was presented: when it ends, so does the wait. Absent or null: it does not end.
   */
  readonly keyId?: string | null | undefined;
  /** Aborted when the client went away: it is forgotten before anything is leased to it. */
  readonly signal: CallerSignal;
}

export interface ReceiveAnswer {
  readonly messages: readonly ReceivedMessage[];
  readonly acknowledged: readonly SettleResult[];
  /**
   * To be called when the answer did not reach its caller: what was leased for it is released,
   * without a count against the messages. After a receive with an idempotency key it does nothing,
   * because the caller asks again and its receipts stay good. Never throws.
   */
  lost(): void;
}

export interface ReceiveVerb {
  /**
   * Delivers messages, or waits for some. Throws `subscription_not_found`, `too_many_receives`,
   * `shutting_down`.
   */
  receive(request: ReceiveRequest): Promise<ReceiveAnswer>;
}

export interface ReceiveDeps extends AcknowledgeVerb {
  readonly directory: Directory;
  readonly dispatchers: Dispatchers;
  readonly parked: Pick<ParkedReceives, 'enter' | 'leave'>;
  readonly handBack: HandBack;
  readonly isStopping: () => boolean;
}

export function createReceive(deps: ReceiveDeps): ReceiveVerb {
  const { directory, dispatchers, acknowledge, parked, handBack, isStopping } = deps;

  function onLost(
    { ids, messages, nonce }: Handed,
    { principal, receiveKey }: Pick<WaiterRow, 'principal' | 'receiveKey'>,
  ): void {
    if (receiveKey === null && messages.length > 0) handBack({ ids, messages, nonce, principal });
  }

  // While it is parked, each frame and each object that it can reach is kept, thousands of times.
  async function receive(request: ReceiveRequest): Promise<ReceiveAnswer> {
    const admitted = parked.enter(request);
    try {
      if (isStopping()) {
        throw new WillcallError('shutting_down', 'This instance is stopping; ask another one, or again.');
      }
      const { results, failed } =
        request.acknowledge.length === 0
          ? NOTHING_SETTLED
          : await acknowledge({ ...request, receipts: request.acknowledge, atomic: false });
      const waitMs = failed > 0 ? 0 : request.waitSeconds * 1000;
      const waiter = toWaiter(request, waitMs, admitted.signal, onLost);
      const handed = await directory.withSubscription(request.subscription, (subscription) =>
        dispatchers.of(subscription).wait(waiter),
      );
      const { ids, messages, nonce } = handed;
      return {
        messages: messages.map((message) => toReceived(message, ids, message.nonce ?? nonce)),
        acknowledged: results,
        lost: () => onLost(handed, waiter),
      };
    } finally {
      parked.leave(admitted);
    }
  }

  return { receive };
}

const NOTHING_SETTLED = { results: [], failed: 0 };

function toWaiter(
  request: ReceiveRequest,
  waitMs: number,
  signal: CallerSignal,
  onLost: WaiterRequest['onLost'],
): WaiterRequest {
  return {
    maxMessages: request.maxMessages,
    maxBytes: request.maxBytes,
    visibilityTimeoutSeconds: request.visibilityTimeoutSeconds ?? null,
    principal: request.caller,
    owner: request.keyId ?? null,
    receiveKey: request.idempotencyKey === undefined ? null : `${request.caller}\n${request.idempotencyKey}`,
    waitMs,
    signal,
    onLost,
  };
}

/** The receipt of a handed-out message. */
export function receiptOf(message: HandedMessage, ids: SubscriptionIds, nonce: bigint): string {
  return formatReceipt({
    topicId: ids.topicId,
    subscriptionId: ids.subscriptionId,
    deliveryNo: message.deliveryNo,
    sequence: message.sequence,
    nonce,
  });
}

function toReceived(message: HandedMessage, ids: SubscriptionIds, nonce: bigint): ReceivedMessage {
  return {
    id: message.messageId.toString('base64url'),
    sequence: message.sequence,
    receipt: receiptOf(message, ids, nonce),
    attempt: message.attempt,
    body: message.body,
    contentType: message.contentType,
    attributes: message.attributes,
    orderingKey: message.orderingKey,
    publishedAt: message.publishedAt,
    visibleUntil: message.expiresAt,
  };
}
