// REST as the promises see it. Other transports borrow its records, which they have no calls of
// their own for.

import { type ErrorCode, errorCodes } from '../../../src/domain/errors.ts';
import type { Outcome } from '../../../src/domain/settling.ts';
import type { Answer, CallOptions, Client, Message, Problem, Received, SettleAnswer } from '../../support/client.ts';
import { startTestService } from '../../support/service.ts';
import type { TransportAdapter } from '../behaviour/promises.ts';
import {
  type DeadLetter,
  type Delivery,
  type LedgerRow,
  type NewMessage,
  type ReceiveOptions,
  type RejectEntry,
  type ReleaseEntry,
  type SettledReceipt,
  type SubscriptionSettings,
  type TransportClient,
  TransportRefusal,
} from '../behaviour/transport.ts';

export const restAdapter: TransportAdapter = {
  transport: 'REST',
  cannot: {},
  async open() {
    const service = await startTestService();
    return { client: createRestClient(service.client), close: () => service.stop() };
  },
};

/** The promises' calls over a test's own HTTP client. */
export function createRestClient(http: Client): TransportClient {
  const call = createCall(http);
  const settle = async (subscription: string, verb: string, json: object) => {
    const path = `/v1/subscriptions/${subscription}/${verb}`;
    // 409: nothing was settled; the outcomes say why.
    const { results } = await call<SettleAnswer>('POST', path, { json }, 409);
    return results.map(readSettled);
  };
  return {
    async createTopic(topic, settings = {}) {
      const json = { max_message_bytes: settings.maxMessageBytes, max_backlog: settings.maxBacklog };
      await call('PUT', `/v1/topics/${topic}`, { json });
    },
    async createSubscription(subscription, settings = {}) {
      await call('PUT', `/v1/subscriptions/${subscription}`, { json: writeSettings(settings) });
    },
    async publish(topic, messages) {
      const json = { messages: messages.map(writeMessage) };
      const path = `/v1/topics/${topic}/messages`;
      return (
        await call<{ messages: { id: string; sequence: number | null; duplicate: boolean }[] }>('POST', path, { json })
      ).messages;
    },
    async receive(subscription, options = {}) {
      const key = options.idempotencyKey;
      const headers = key === undefined ? {} : { 'idempotency-key': key };
      const path = `/v1/subscriptions/${subscription}/receive`;
      const { messages } = await call<Received>('POST', path, { json: writeReceive(options), headers });
      return messages.map(readDelivery);
    },
    acknowledge: (subscription, receipts, { atomic = false } = {}) =>
      settle(subscription, 'acknowledge', { receipts, atomic }),
    release: (subscription, entries) => settle(subscription, 'release', { receipts: entries.map(writeRelease) }),
    extend: (subscription, receipts, seconds) =>
      settle(subscription, 'extend', { receipts, visibility_timeout_seconds: seconds }),
    reject: (subscription, entries) => settle(subscription, 'reject', { receipts: entries.map(writeReject) }),
    ...createRestRecords(http),
  };
}

/** Dead letters, ledger and stats of a service, for every transport without calls for them. */
export function createRestRecords(http: Client): Pick<TransportClient, 'deadLetters' | 'ledger' | 'stats'> {
  const call = createCall(http);
  return {
    async deadLetters(subscription) {
      const path = `/v1/subscriptions/${subscription}/dead-letters?limit=1000`;
      return (await call<{ dead_letters: WireDeadLetter[] }>('GET', path)).dead_letters.map(readDeadLetter);
    },
    async ledger(subscription) {
      const path = `/v1/subscriptions/${subscription}/acknowledgments?limit=1000`;
      return (await call<{ acknowledgments: WireLedgerRow[] }>('GET', path)).acknowledgments.map(readLedgerRow);
    },
    async stats(subscription) {
      const { stats } = await call<{ stats: WireStats }>('GET', `/v1/subscriptions/${subscription}`);
      return {
        backlog: stats.backlog,
        inFlight: stats.in_flight,
        deferred: stats.deferred,
        deadLetters: stats.dead_letters,
      };
    },
  };
}

interface WireDeadLetter {
  message_id: string | null;
  sequence: number;
  reason: string;
  body: string | null;
  body_encoding: 'utf8' | 'base64' | null;
  history: { attempt: number; ended: string; error: { code: string } | null }[];
}

interface WireLedgerRow {
  ack_no: number;
  message_id: string;
  sequence: number;
  body_sha256: string;
  body_bytes: number;
  attempt: number;
  reference: string | null;
  late: boolean;
}

interface WireStats {
  backlog: number;
  in_flight: number;
  deferred: number;
  dead_letters: number;
}

type Call = <Body>(method: string, path: string, options?: CallOptions, alsoGood?: number) => Promise<Body>;

/**
 * Answers of 2xx, and of one status more, are returned; others are thrown as the refusals that they
 * are.
 */
function createCall(http: Client): Call {
  return async <Body>(method: string, path: string, options: CallOptions = {}, alsoGood = 0) => {
    const answer = await http.call<Body & Problem>(method, path, options);
    if (answer.status < 300 || answer.status === alsoGood) return answer.json;
    throw readRefusal(answer);
  };
}

function readRefusal({ status, json }: Answer<Problem>): Error {
  const code = errorCodes.find((known) => known === json?.code);
  if (code === undefined) return new Error(`answer ${status} with the code ${json?.code}`);
  return new TransportRefusal(code satisfies ErrorCode, json.detail);
}

function writeSettings(settings: SubscriptionSettings): object {
  const { minBackoffSeconds, maxBackoffSeconds } = settings;
  const hasRetry = minBackoffSeconds !== undefined || maxBackoffSeconds !== undefined;
  return {
    topic: settings.topic,
    visibility_timeout_seconds: settings.visibilityTimeoutSeconds,
    max_attempts: settings.maxAttempts,
    max_deliveries: settings.maxDeliveries,
    max_in_flight: settings.maxInFlight,
    retry: hasRetry ? { min_backoff_seconds: minBackoffSeconds, max_backoff_seconds: maxBackoffSeconds } : undefined,
  };
}

/** Always as base64, which carries every body. */
function writeMessage(message: NewMessage): object {
  return {
    body: message.body.toString('base64'),
    body_encoding: 'base64',
    content_type: message.contentType,
    attributes: message.attributes,
    ordering_key: message.orderingKey,
    dedupe_key: message.dedupeKey,
    delay_seconds: message.delaySeconds,
  };
}

function writeReceive(options: ReceiveOptions): object {
  return {
    wait_seconds: options.waitSeconds ?? 0,
    max_messages: options.maxMessages,
    max_bytes: options.maxBytes,
    visibility_timeout_seconds: options.visibilityTimeoutSeconds,
  };
}

function writeRelease({ receipt, error, delaySeconds }: ReleaseEntry): object {
  return { receipt, error, delay_seconds: delaySeconds };
}

function writeReject({ receipt, error }: RejectEntry): object {
  return { receipt, error };
}

function readBody(body: string, encoding: string | null): Buffer {
  return Buffer.from(body, encoding === 'base64' ? 'base64' : 'utf8');
}

function readDelivery(message: Message): Delivery {
  return {
    id: message.id,
    sequence: message.sequence,
    receipt: message.receipt,
    attempt: message.attempt,
    body: readBody(message.body, message.body_encoding),
    contentType: message.content_type,
    attributes: message.attributes,
    orderingKey: message.ordering_key,
    visibleUntil: new Date(message.visible_until),
  };
}

function readSettled(result: SettleAnswer['results'][number]): SettledReceipt {
  return {
    receipt: result.receipt,
    messageId: result.message_id,
    outcome: result.outcome as Outcome,
    ackNo: result.ack_no ?? null,
    visibleUntil: result.visible_until === undefined ? null : new Date(result.visible_until),
  };
}

function readDeadLetter(letter: WireDeadLetter): DeadLetter {
  return {
    messageId: letter.message_id,
    sequence: letter.sequence,
    reason: letter.reason,
    body: letter.body === null ? null : readBody(letter.body, letter.body_encoding),
    history: letter.history.map(({ attempt, ended, error }) => ({ attempt, ended, errorCode: error?.code ?? null })),
  };
}

function readLedgerRow(row: WireLedgerRow): LedgerRow {
  return {
    ackNo: row.ack_no,
    messageId: row.message_id,
    sequence: row.sequence,
    bodySha256: row.body_sha256,
    bodyBytes: row.body_bytes,
    attempt: row.attempt,
    reference: row.reference,
    late: row.late,
  };
}
