// The ledger and the dead letters as answers show them.

import { z } from 'zod';
import { formatCursor } from '../../../domain/cursor.ts';
import { deadLetterReasons } from '../../../domain/ledger.ts';
import { components } from './components.ts';
import { exampleBody, exampleIds, exampleTimes } from './examples.ts';
import { count, hasMore, instant, name, subscriptionId, topicId } from './fields.ts';
import { messageContent } from './message-answers.ts';

const EXAMPLE_CURSOR = formatCursor(exampleIds.subscription, 1);
const DIGEST_BYTES = 32;
const SALT_BYTES = 16;

/** Bytes as lower-case hexadecimal digits. */
function digits(bytes: number) {
  return z.string().regex(new RegExp(`^[0-9a-f]{${2 * bytes}}$`));
}

/** Where a record belongs, and a page of records. */
const recordNames = {
  topic: name.describe('The topic.'),
  topic_id: topicId,
  subscription: name.describe('The subscription.'),
  subscription_id: subscriptionId,
};
const exampleNames = {
  topic: 'payments',
  topic_id: exampleIds.topic,
  subscription: 'acme-erp',
  subscription_id: exampleIds.subscription,
};
export const pageEnd = {
  next: z.string().describe('The `after` with which to read on: also on the last page, behind which more may come.'),
  has_more: hasMore,
};
/** For readers who may know only what their own client did. */
const HIDDEN = 'null where another client signed and the key reads only its own';

export const acknowledgment = z
  .object({
    ...recordNames,
    ack_no: count(1).describe('The number of the row in the ledger of the subscription: 1, 2, 3 … without gaps.'),
    message_id: z.string().describe('The message.'),
    sequence: count(1).describe('The number of the message in its topic.'),
    generation: count(1).describe('Number of times the cursor was set back, plus one.'),
    revision: count().describe('0 for the message as published.'),
    body_sha256: digits(DIGEST_BYTES).describe('The SHA-256 digest of the body, in hexadecimal digits.'),
    body_bytes: count().describe('The length of the body.'),
    published_at: instant.describe('When the message entered the log.'),
    delivery_no: count(1).describe(
      'The number of the delivery whose receipt was acknowledged; the first is 2, since 1 is the creation.',
    ),
    delivered_at: instant.describe('When the message was delivered.'),
    attempt: count(1).describe('The number of the attempt.'),
    acknowledged_at: instant.describe('When it was acknowledged.'),
    acknowledged_by: z
      .string()
      .nullable()
      .describe(`The principal that acknowledged it; ${HIDDEN}. So are the next five fields then.`),
    key_id: z.string().nullable().describe('The id of the key that signed; null for the admin key.'),
    published_by: z
      .string()
      .nullable()
      .describe('The principal that published it; null in rows from before this was stored.'),
    reference: z.string().nullable().describe('The transaction number of the consumer.'),
    reference_salt: digits(SALT_BYTES)
      .nullable()
      .describe('16 random bytes that the commitment to the reference is made with; null without a reference.'),
    reference_digest: digits(DIGEST_BYTES)
      .nullable()
      .describe('The commitment to a reference that was erased: SHA-256 of the byte 2, the salt and the reference.'),
    late: z.boolean().describe('True when the visibility timeout was already over.'),
  })
  .register(components, {
    id: 'Acknowledgment',
    description: 'A row of the ledger: who acknowledged what, when, on which attempt.',
    examples: {},
  });

export const acknowledgmentPage = z
  .object({ ...recordNames, acknowledgments: z.array(acknowledgment).describe('In order of `ack_no`.'), ...pageEnd })
  .register(components, {
    id: 'AcknowledgmentPage',
    description: 'A page of the ledger.',
    examples: {
      'the last page': {
        ...exampleNames,
        acknowledgments: [
          {
            ...exampleNames,
            ack_no: 1,
            message_id: exampleIds.message,
            sequence: 1,
            generation: 1,
            revision: 0,
            body_sha256: exampleBody.sha256,
            body_bytes: exampleBody.bytes,
            published_at: exampleTimes.published,
            delivery_no: 2,
            delivered_at: exampleTimes.delivered,
            attempt: 1,
            acknowledged_at: exampleTimes.acknowledged,
            acknowledged_by: 'acme',
            key_id: 'wk_019cfa8e43d6a1b2c3d4',
            published_by: 'billing',
            reference: 'BOOKING-4711',
            reference_salt: '5b1f2c9e0a7d4e38b6c1d2e3f4a5b6c7',
            reference_digest: null,
            late: false,
          },
        ],
        next: EXAMPLE_CURSOR,
        has_more: false,
      },
    },
  });

export const acknowledgmentSearchPage = z
  .object({
    acknowledgments: z.array(acknowledgment).describe('Ledger by ledger, each in order of `ack_no`.'),
    next: z.string().nullable().describe('The `after` with which to search on; null when all is found.'),
    has_more: z.boolean().describe('Whether the search is not finished: a page may be short, or empty, before it is.'),
  })
  .register(components, {
    id: 'AcknowledgmentSearchPage',
    description: 'A page of what was found over many ledgers.',
    examples: { nothing: { acknowledgments: [], next: null, has_more: false } },
  });

export const unacknowledgedPage = z
  .object({
    ...recordNames,
    messages: z
      .array(
        z.object({
          message_id: z.string().describe('The id of the message.'),
          sequence: count(1).describe('The sequence of the message in the log of its topic.'),
          published_at: instant.describe('When it entered the log.'),
          published_by: z.string().describe('The principal that published it.'),
          body_bytes: count().describe('The length of the body.'),
          body_sha256: digits(DIGEST_BYTES).describe('The SHA-256 digest of the body, in hexadecimal digits.'),
          acknowledged_at: instant
            .nullable()
            .describe('When it was acknowledged after that time; null when it was not.'),
          dead_letter_no: count(1).nullable().describe('The number of its dead letter; null when it is none.'),
        }),
      )
      .describe('In order of sequence.'),
    complete_from: instant
      .nullable()
      .describe(
        'When the oldest message of the log was published. Older ones were acknowledged, or are dead letters, and are in ' +
          'the log no more. Null for an empty log.',
      ),
    ...pageEnd,
  })
  .register(components, {
    id: 'UnacknowledgedPage',
    description: 'A page of messages that were not acknowledged by a time. It may be short, or empty, before the end.',
    examples: {
      'one that is late': {
        ...exampleNames,
        messages: [
          {
            message_id: exampleIds.message,
            sequence: 1,
            published_at: exampleTimes.published,
            published_by: 'billing',
            body_bytes: exampleBody.bytes,
            body_sha256: exampleBody.sha256,
            acknowledged_at: exampleTimes.acknowledged,
            dead_letter_no: null,
          },
        ],
        complete_from: exampleTimes.published,
        next: EXAMPLE_CURSOR,
        has_more: false,
      },
    },
  });

const failedAttempt = z.object({
  attempt: count(1).describe('The number of the attempt.'),
  ended: z.enum(['expired', 'released', 'rejected']).describe('How it ended.'),
  delivered_at: instant.describe('When the message was delivered.'),
  ended_at: instant.describe('When the attempt ended.'),
  ended_by: z
    .string()
    .nullable()
    .describe('Who ended it; null when its visibility timeout did, or another client and the key reads only its own.'),
  error: z
    .object({
      code: z.string().describe("The consumer's code."),
      message: z.string().nullable().describe("The consumer's text."),
    })
    .nullable()
    .describe('The reason that the consumer gave.'),
});

/** `expired` stands for a range, which has no message of its own. */
const NULL_FOR_RANGE = 'null for an `expired` range.';

export const deadLetter = z
  .object({
    ...recordNames,
    dead_letter_no: count(1).describe('The number of the dead letter in the subscription: 1, 2, 3 …'),
    reason: z
      .enum(deadLetterReasons)
      .describe(
        'The reason. `retention`: delivered and failed, then too old; `expired`: not collected within the ' +
          'retention.',
      ),
    dead_at: instant.describe('When it became a dead letter.'),
    sequence: count(1).describe('The sequence of the message; the first one of an `expired` range.'),
    sequence_last: count(1).describe('The last sequence of an `expired` range; otherwise the same as `sequence`.'),
    message_count: count(1).describe('Number of messages that it stands for.'),
    message_id: z.string().nullable().describe(`The message; ${NULL_FOR_RANGE}`),
    attempts: count().nullable().describe(`Number of deliveries; ${NULL_FOR_RANGE}`),
    ...messageContent,
    body: messageContent.body.nullable().describe(`Text, or base64; ${NULL_FOR_RANGE}`),
    body_encoding: messageContent.body_encoding.nullable().describe(`How \`body\` is written; ${NULL_FOR_RANGE}`),
    published_at: instant.nullable().describe(`When the message entered the log; ${NULL_FOR_RANGE}`),
    history: z.array(failedAttempt).describe('Every attempt that did not end in an acknowledgment.'),
  })
  .register(components, {
    id: 'DeadLetter',
    description:
      'A message that was set aside, with a full copy, or a range of messages that were not collected ' + 'in time.',
    examples: {},
  });

export const deadLetterPage = z
  .object({ ...recordNames, dead_letters: z.array(deadLetter).describe('The oldest first.'), ...pageEnd })
  .register(components, {
    id: 'DeadLetterPage',
    description: 'A page of open dead letters.',
    examples: {
      'the last page': {
        ...exampleNames,
        dead_letters: [
          {
            ...exampleNames,
            dead_letter_no: 1,
            reason: 'max_attempts',
            dead_at: '2026-03-17T06:44:01.100700Z',
            sequence: 7,
            sequence_last: 7,
            message_count: 1,
            message_id: exampleIds.message,
            attempts: 1,
            body: exampleBody.text,
            body_encoding: 'utf8',
            content_type: 'application/xml',
            attributes: null,
            ordering_key: null,
            published_at: '2026-03-17T06:44:00.000000Z',
            history: [
              {
                attempt: 1,
                ended: 'released',
                delivered_at: '2026-03-17T06:44:00.012444Z',
                ended_at: '2026-03-17T06:44:01.100700Z',
                ended_by: 'admin',
                error: { code: 'ERP_DOWN', message: 'no answer' },
              },
            ],
          },
        ],
        next: EXAMPLE_CURSOR,
        has_more: false,
      },
    },
  });
