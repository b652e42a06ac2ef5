// What travels in headers when the body of a request or an answer is a raw message.

import { z } from 'zod';
import { limits } from '../../../domain/limits.ts';
import { exampleIds, exampleTimes } from './examples.ts';
import { count, instant, mediaType, wholeNumber, written } from './fields.ts';
import { deliverAt, orderingKey, refuseTwoTimes } from './messages.ts';
import { idempotencyKey } from './parameters.ts';

/**
 * Stands for any number of headers that begin so; an asterisk may be part of a header's name, but
 * no attribute has one.
 */
export const ANY_ATTRIBUTE = 'Willcall-Attribute-*';
const KNOWN =
  'willcall-attribute-<name>, willcall-attributes, willcall-ordering-key, willcall-delay-seconds, willcall-deliver-at';

const requestFields = {
  'willcall-ordering-key': orderingKey
    .optional()
    .describe('Percent-encoded UTF-8.')
    .meta({ examples: ['customer-17'] }),
  'willcall-delay-seconds': written(wholeNumber(0, limits.delaySecondsMax))
    .optional()
    .describe('Seconds until the message enters the log.')
    .meta({ examples: [60] }),
  'willcall-deliver-at': deliverAt
    .optional()
    .describe('When the message enters the log, at most a year ahead. Not together with a delay.')
    .meta({ examples: ['2026-03-17T18:00:00Z'] }),
};
const attributeWords =
  'An attribute: its name follows the last hyphen, lower-cased; its value is percent-encoded UTF-8.';
const attribute = z
  .string()
  .optional()
  .describe(attributeWords)
  .meta({ examples: ['camt.054'] });

const allAttributes = z
  .string()
  .optional()
  .describe(
    'All attributes in one header, as in a form: `order_id=4711&doc.type=camt.054`, percent-encoded UTF-8. Some proxies drop ' +
      'headers with an underscore or a dot in their names; they pass this one.',
  )
  .meta({ examples: ['order_id=4711&doc.type=camt.054'] });

/** The headers of a raw publish, as they are read. */
export const publishRawHeaders = z
  .strictObject(
    { 'content-type': mediaType.optional(), ...requestFields },
    { error: `is unknown here; known are ${KNOWN}` },
  )
  .superRefine((fields, context) => {
    refuseTwoTimes(fields['willcall-delay-seconds'], fields['willcall-deliver-at'], 'willcall-deliver-at', context);
  })
  .transform((fields) => ({
    contentType: fields['content-type'] ?? null,
    orderingKey: fields['willcall-ordering-key'] ?? null,
    delaySeconds: fields['willcall-delay-seconds'] ?? null,
    deliverAt: fields['willcall-deliver-at'] ?? null,
  }));

/** The same, as they are described; the content type is described with the body. */
export const publishRawHeadersDescribed = z.object({
  ...requestFields,
  'Idempotency-Key': idempotencyKey.describe("The message's `dedupe_key`."),
  [ANY_ATTRIBUTE]: attribute,
  'Willcall-Attributes': allAttributes,
});

const outcomes = {
  'Willcall-Acknowledge-Outcomes': z
    .string()
    .optional()
    .describe('Outcomes of the receipts in `acknowledge`, in their order, separated by commas.')
    .meta({ examples: ['acknowledged, superseded'] }),
};

/** The headers of an answer that is a message. */
export const receivedRawHeaders = z.object({
  'Willcall-Message-Id': z
    .string()
    .describe('The id of the message.')
    .meta({ examples: [exampleIds.message] }),
  'Willcall-Sequence': count(1)
    .describe('The number of the message in its topic.')
    .meta({ examples: [1] }),
  'Willcall-Receipt': z
    .string()
    .describe('The receipt that settles this delivery.')
    .meta({ examples: [exampleIds.receipt] }),
  'Willcall-Attempt': count(1)
    .describe('Number of this delivery of the message to the subscription, counting from 1.')
    .meta({ examples: [1] }),
  'Willcall-Published-At': instant.describe('When it entered the log.').meta({ examples: [exampleTimes.published] }),
  'Willcall-Visible-Until': instant
    .describe('When its visibility timeout ends.')
    .meta({ examples: [exampleTimes.visibleUntil] }),
  'Willcall-Ordering-Key': z
    .string()
    .optional()
    .describe('Percent-encoded UTF-8.')
    .meta({ examples: ['customer-17'] }),
  [ANY_ATTRIBUTE]: attribute,
  'Willcall-Attributes': allAttributes.describe(
    'All attributes, as in a form, instead of a header for each, where the request asked for that.',
  ),
  'Content-Security-Policy': z
    .string()
    .describe("A browser does not run a publisher's content as a page of this service.")
    .meta({ examples: ["sandbox; default-src 'none'; frame-ancestors 'none'"] }),
  ...outcomes,
});

/** The headers of an answer without one. */
export const receivedNothingHeaders = z.object(outcomes);
