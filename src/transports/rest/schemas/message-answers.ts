// Messages as publishers and consumers get them back, and what became of receipts.

import { z } from 'zod';
import { outcomes } from '../../../domain/settling.ts';
import { components } from './components.ts';
import { exampleBody, exampleIds, exampleTimes } from './examples.ts';
import { count, instant, name } from './fields.ts';
import { listOutcomes } from './outcomes.ts';

const NOT_IN_THE_LOG = 'null until a delayed message has entered the log.';

export const published = z
  .object({
    messages: z
      .array(
        z.object({
          id: z.string().describe('The id of the message, the same on every attempt.'),
          sequence: count(1).nullable().describe(`Its place in the log of the topic; ${NOT_IN_THE_LOG}`),
          duplicate: z
            .boolean()
            .describe(
              'True when the `dedupe_key` was known: nothing was published, and `id` and `sequence` are those ' +
                'of the original.',
            ),
        }),
      )
      .describe('In the order of the request.'),
  })
  .register(components, {
    id: 'Published',
    description: 'The published messages.',
    examples: {
      'one at once, one later': {
        messages: [
          { id: exampleIds.message, sequence: 1, duplicate: false },
          { id: exampleIds.delayed, sequence: null, duplicate: false },
        ],
      },
    },
  });

/** The fields that every answer with a message has. */
export const messageContent = {
  body: z.string().describe('Text, or base64.'),
  body_encoding: z.enum(['utf8', 'base64']).describe('`base64` where the bytes are not valid UTF-8.'),
  content_type: z.string().nullable().describe('As published.'),
  attributes: z.record(z.string(), z.string()).nullable().describe('As published.'),
  ordering_key: z.string().nullable().describe('As published.'),
};

const message = z
  .object({
    id: z.string().describe('The id of the message, the same on every attempt.'),
    sequence: count(1).describe('The number of the message in its topic.'),
    receipt: z.string().describe('The receipt that settles this delivery.'),
    attempt: count(1).describe('Number of this delivery of the message to the subscription, counting from 1.'),
    ...messageContent,
    published_at: instant.describe('When it entered the log.'),
    visible_until: instant.describe('When its visibility timeout ends.'),
  })
  .register(components, { id: 'Message', description: 'A message as delivered to a consumer.', examples: {} });

export const outcome = z.enum(outcomes).register(components, {
  id: 'Outcome',
  description:
    'The outcome of a receipt. The conditions are checked in a fixed order, so that each receipt has ' +
    `one definite outcome.\n${listOutcomes()}`,
  examples: {},
});

const settled = {
  receipt: z.string().describe('The receipt, as in the request.'),
  message_id: z.string().nullable().describe('The id of its message; null for a receipt that cannot be read.'),
  outcome: outcome.describe('The outcome.'),
};
const ackNo = count(1).describe('The number of the row in the ledger.');
const acknowledgedAt = instant.describe('When it was acknowledged.');

export const acknowledgeResult = z
  .object({
    ...settled,
    topic: name.describe('The topic of the subscription.'),
    subscription: name.describe('The subscription.'),
    ack_no: ackNo.nullable().describe('The number of the row in the ledger; null when there is none.'),
    acknowledged_at: acknowledgedAt.nullable().describe('When it was acknowledged; null when it was not.'),
    reference: z
      .string()
      .nullable()
      .describe('The transaction number in the ledger, which is the first one given; null when there is none.'),
    reference_differs: z
      .boolean()
      .describe('The message was acknowledged before, and `reference` is another one than the request gave.'),
  })
  .register(components, {
    id: 'AcknowledgeResult',
    description: 'The outcome of a receipt that was to be acknowledged.',
    examples: {},
  });

export const settleResult = z
  .object({
    ...settled,
    ack_no: ackNo.optional(),
    acknowledged_at: acknowledgedAt.optional(),
    visible_until: instant.optional().describe('After an extend: the new end of the visibility timeout.'),
  })
  .register(components, {
    id: 'SettleResult',
    description: 'The outcome of a receipt. Fields that the outcome does not have are left out.',
    examples: {},
  });

const ORDER = 'One per receipt, in the order of the request.';
const failed = count().describe('Number of receipts whose outcome is not ok for the call.');

/** The members of an answer, or of a problem, that gives the outcome of each receipt. */
export const acknowledgeResults = { results: z.array(acknowledgeResult).describe(ORDER), failed };
export const settleResults = { results: z.array(settleResult).describe(ORDER), failed };

const exampleSubscription = { topic: 'payments', subscription: 'acme-erp' };
const exampleResult = { receipt: exampleIds.receipt, message_id: exampleIds.message };
const exampleAcknowledged = {
  ...exampleResult,
  outcome: 'acknowledged' as const,
  ...exampleSubscription,
  ack_no: 1,
  acknowledged_at: exampleTimes.acknowledged,
  reference: 'BOOKING-4711',
  reference_differs: false,
};

export const acknowledgeAnswer = z.object(acknowledgeResults).register(components, {
  id: 'AcknowledgeAnswer',
  description: 'The outcome of each receipt; at least one is ok.',
  examples: {
    'one acknowledged, one superseded': {
      results: [
        exampleAcknowledged,
        {
          receipt: exampleIds.oldReceipt,
          message_id: exampleIds.message,
          outcome: 'superseded',
          ...exampleSubscription,
          ack_no: null,
          acknowledged_at: null,
          reference: null,
          reference_differs: false,
        },
      ],
      failed: 1,
    },
  },
});

export const settleAnswer = z.object(settleResults).register(components, {
  id: 'SettleAnswer',
  description: 'The outcome of each receipt; at least one is ok.',
  examples: {
    released: { results: [{ ...exampleResult, outcome: 'released' }], failed: 0 },
    extended: {
      results: [{ ...exampleResult, outcome: 'extended', visible_until: exampleTimes.visibleUntil }],
      failed: 0,
    },
    rejected: { results: [{ ...exampleResult, outcome: 'rejected' }], failed: 0 },
  },
});

export const received = z
  .object({
    messages: z.array(message).describe('Empty when there was no message in time.'),
    acknowledged: z
      .array(acknowledgeResult)
      .describe('Outcomes of the receipts in `acknowledge`, in the order of the request.'),
  })
  .register(components, {
    id: 'Received',
    description: 'Messages, leased to the caller until their visibility timeout ends.',
    examples: {
      'one message': {
        messages: [
          {
            id: exampleIds.message,
            sequence: 1,
            receipt: exampleIds.receipt,
            attempt: 1,
            body: exampleBody.text,
            body_encoding: 'utf8',
            content_type: 'application/xml',
            attributes: { document: 'ping' },
            ordering_key: null,
            published_at: exampleTimes.published,
            visible_until: exampleTimes.visibleUntil,
          },
        ],
        acknowledged: [],
      },
      'none, and one signed for': { messages: [], acknowledged: [exampleAcknowledged] },
    },
  });
