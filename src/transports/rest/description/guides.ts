// Guides of the reference page: what a consumer, a publisher and an operator do, call by call.
// Texts have the markup of markup.ts; `[words](#operation)` leads to an operation.

import { formatCodes, outcomeRows } from '../schemas/outcomes.ts';
import { toSentence } from './markup.ts';

export interface Guide {
  readonly id: string;
  readonly title: string;
  readonly introduction: string;
  /** A command to begin with. */
  readonly sample?: string;
  readonly steps: readonly string[];
  readonly table?: { readonly title: string; readonly heads: readonly string[]; readonly rows: readonly string[][] };
  readonly conclusion: string;
}

const consumer: Guide = {
  id: 'consumer',
  title: 'I am a consumer',
  introduction:
    'You collect messages of a subscription and sign for them. The operator of the service gives you its address, a key ' +
    'with the role `consumer`, and the name of your subscription. Nothing has to reach you from outside.',
  sample: 'WILLCALL=https://willcall.example.org\nKEY=wk_…\ncurl -sS "$WILLCALL/readyz"',
  steps: [
    '[Receive](#receive) with a long poll: the call waits up to 30 seconds for messages. An empty answer is normal; ' +
      'receive again at once. For one message as a file, use [receive raw](#receiveRaw).',
    'Process each message. Delivery is at least once: store the `id` of the message together with your work, so that a ' +
      'second delivery has no effect.',
    '[Extend](#extend) the visibility timeout at a third of its time, as long as you work. When it ends, the message is ' +
      'delivered again.',
    '[Acknowledge](#acknowledge) after the work is done, with your own transaction number as `reference`.',
    'When the work fails, [release](#release) with an `error` for another attempt, or [reject](#reject) when no attempt ' +
      'can help: the message becomes a dead letter.',
    'Your signatures are in [the ledger](#listAcknowledgments) of the subscription, and failed messages among its ' +
      '[dead letters](#listDeadLetters); your key can read both.',
  ],
  table: {
    title: 'Outcomes of a receipt',
    heads: ['outcome', 'when', 'action'],
    rows: outcomeRows.map(({ outcomes, when, action }) => [formatCodes(outcomes), toSentence(when), action]),
  },
  conclusion:
    'After 408, 429, 5xx or a lost answer, wait at least as long as `Retry-After` says, then repeat the same call; a receive ' +
    'with the same `Idempotency-Key`. After 400, 401, 403 or 404, stop: repeating cannot help. Complete consumers in seven ' +
    'languages are in docs/clients.md of the source.',
};

const publisher: Guide = {
  id: 'publisher',
  title: 'I am a publisher',
  introduction:
    'You publish messages to a topic. The operator of the service gives you its address, a key with the role `publisher`, ' +
    'and the name of the topic.',
  steps: [
    '[Publish](#publish) up to 1000 messages per call, each with a `dedupe_key`; or [publish one message raw](#publishRaw), ' +
      'with an `Idempotency-Key`. The answer is sent after the commit.',
    'After a 503 or a lost answer, repeat the same call. With the same keys nothing is published twice.',
    'After 429, wait as long as `Retry-After` says: the call had no effect.',
  ],
  conclusion: 'Each message stays in the topic until every subscription has settled it, or its retention is over.',
};

const operator: Guide = {
  id: 'operator',
  title: 'I operate the service',
  introduction:
    'The first start of the service creates an admin key and prints it once; it is in the file `admin-key` of the data ' +
    'directory. With it you create everything else.',
  steps: [
    '[Create a topic](#createTopic), and [a subscription](#createSubscription) for each vendor.',
    '[Create a key](#createKey) for each client, with the fewest rights that it needs.',
    'Watch the state of [subscriptions](#getSubscription): backlog, dead letters, and the age of the oldest message.',
    '[Read the ledger](#listAcknowledgments) and [the dead letters](#listDeadLetters).',
  ],
  conclusion: 'Settings, databases, backup and proxies are described in docs/operations.md of the source.',
};

export const guides: readonly Guide[] = [consumer, publisher, operator];
