// receive: settles what the caller acknowledges along the way, then hands out messages or parks until there are some.
// The acknowledgment is committed before the receive begins; if one of its receipts is not ok, the answer does not wait.

import { WillcallError } from '../domain/errors.ts';
import type { ReceivedMessage } from '../domain/message.ts';
import { formatReceipt } from '../domain/receipt.ts';
import type { HandedMessage } from '../store/packing/handed-messages.ts';
import type { Directory } from './lookups/directory.ts';
import type { Engine, ReceiveRequest } from './types.ts';
import type { CallerSignal } from './waiting/abort-signal.ts';
import type { SubscriptionIds, WaiterRequest } from './waiting/dispatcher.ts';
import type { Dispatchers } from './waiting/dispatchers.ts';
import type { ParkedReceives } from './waiting/parked-receives.ts';

export interface ReceiveOptions {
  readonly directory: Directory;
  readonly dispatchers: Dispatchers;
  readonly acknowledge: Engine['acknowledge'];
  readonly parked: Pick<ParkedReceives, 'enter' | 'leave'>;
  readonly isStopping: () => boolean;
}

export function createReceive(options: ReceiveOptions): Engine['receive'] {
  const { directory, dispatchers, acknowledge, parked, isStopping } = options;

  // While it is parked, each frame and each object that it can reach is kept, thousands of times.
  return async (request: ReceiveRequest) => {
    const receive = parked.enter(request);
    try {
      if (isStopping()) {
        throw new WillcallError('shutting_down', 'This instance is stopping; ask another one, or again.');
      }
      const { results, failed } =
        request.acknowledge.length === 0
          ? NOTHING_SETTLED
          : await acknowledge({ ...request, receipts: request.acknowledge, atomic: false });
      const waiter = toWaiter(request, failed > 0 ? 0 : request.waitSeconds * 1000, receive.signal);
      const { ids, messages, nonce } = await directory.withSubscription(request.subscription, (subscription) =>
        dispatchers.of(subscription).wait(waiter),
      );
      return {
        messages: messages.map((message) => toReceived(message, ids, message.nonce ?? nonce)),
        acknowledged: results,
      };
    } finally {
      parked.leave(receive);
    }
  };
}

const NOTHING_SETTLED = { results: [], failed: 0 };

function toWaiter(request: ReceiveRequest, waitMs: number, signal: CallerSignal): WaiterRequest {
  return {
    maxMessages: request.maxMessages,
    maxBytes: request.maxBytes,
    visibilityTimeoutSeconds: request.visibilityTimeoutSeconds ?? null,
    principal: request.caller,
    owner: request.keyId ?? null,
    receiveKey: request.idempotencyKey === undefined ? null : `${request.caller}\n${request.idempotencyKey}`,
    waitMs,
    signal,
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
