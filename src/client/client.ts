// The client of one Willcall: every call of the API as a typed function, and the consumer loop.
// It needs only fetch. Calls are repeated, with back-off, where that is safe.

import {
  type AuditCalls,
  createAuditCalls,
  createKeyCalls,
  createSubscriptionCalls,
  createTopicCalls,
  type KeyCalls,
  type SubscriptionCalls,
  type TopicCalls,
} from './admin-calls.ts';
import { type RetrySettings, retryDefaults } from './backoff.ts';
import { createCaller } from './calls.ts';
import { type ConsumeOptions, consume } from './consume.ts';
import { createMessageCalls, type MessageCalls } from './message-calls.ts';

export interface ClientOptions {
  /** Where the service is, as `https://willcall.example.org`; a path before `/v1` may follow. */
  readonly url: string;
  readonly key: string;
  /** Instead of the global one. */
  readonly fetch?: typeof fetch;
  readonly retry?: Partial<RetrySettings>;
  /** How long an answer may take beyond the wait of a receive; default 30 seconds. */
  readonly timeoutMs?: number;
}

/** The calls; each throws WillcallClientError. */
export interface Client extends MessageCalls, TopicCalls, SubscriptionCalls, AuditCalls, KeyCalls {
  /** Passes messages to the handler until the signal is aborted; see ConsumeOptions. */
  consume(options: ConsumeOptions): Promise<void>;
}

const TIMEOUT_MS = 30_000;

/** Makes a client; nothing is sent yet. */
export function createClient(options: ClientOptions): Client {
  const call = createCaller({
    url: options.url.replace(/\/+$/, ''),
    key: options.key,
    fetch: options.fetch ?? globalThis.fetch,
    retry: { ...retryDefaults, ...options.retry },
    timeoutMs: options.timeoutMs ?? TIMEOUT_MS,
  });
  const messageCalls = createMessageCalls(call);
  return {
    ...messageCalls,
    ...createTopicCalls(call),
    ...createSubscriptionCalls(call),
    ...createAuditCalls(call),
    ...createKeyCalls(call),
    consume: (wanted) => consume(messageCalls, wanted),
  };
}
