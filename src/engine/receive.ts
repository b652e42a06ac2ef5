// receive: settles what the caller acknowledges along the way, then hands out messages or parks until there are some.
// The acknowledgment is committed before the receive begins; if one of its receipts is not ok, the answer does not wait.

import { WillcallError } from '../domain/errors.ts';
import type { ReceivedMessage } from '../domain/message.ts';
import { formatReceipt } from '../domain/receipt.ts';
import type { HandedMessage } from '../store/deliveries.ts';
import type { Directory } from './directory.ts';
import type { Dispatchers, SubscriptionIds } from './dispatchers.ts';
import type { Engine, ReceiveRequest } from './types.ts';

export interface ReceiveOptions {
  readonly directory: Directory;
  readonly dispatchers: Dispatchers;
  readonly acknowledge: Engine['acknowledge'];
  readonly isStopping: () => boolean;
}

export function createReceive(options: ReceiveOptions): Engine['receive'] {
  const { directory, dispatchers, acknowledge, isStopping } = options;

  return async (request: ReceiveRequest) => {
    if (isStopping()) throw new WillcallError('shutting_down', 'This instance is stopping; ask another one, or again.');
    const settled =
      request.acknowledge.length === 0
        ? { results: [], failed: 0 }
        : await acknowledge({ ...request, receipts: request.acknowledge, atomic: false });

    const messages = await directory.withSubscription(request.subscription, async (subscription) => {
      const answer = await dispatchers.of(subscription).wait({
        maxMessages: request.maxMessages,
        maxBytes: request.maxBytes,
        visibilityTimeoutSeconds: request.visibilityTimeoutSeconds ?? null,
        principal: request.caller,
        holder: request.keyId ?? null,
        receiveKey: request.idempotencyKey === undefined ? null : `${request.caller}\n${request.idempotencyKey}`,
        waitMs: settled.failed > 0 ? 0 : request.waitSeconds * 1000,
        signal: request.signal,
      });
      if (answer === 'gone') return null;
      return answer.messages.map((message) => toReceived(message, subscription, message.nonce ?? answer.nonce));
    });
    return { messages, acknowledged: settled.results };
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
