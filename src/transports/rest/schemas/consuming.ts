// What consumers send: receives, and what is to become of receipts.

import { z } from 'zod';
import { limits } from '../../../domain/limits.ts';
import type {
  AcknowledgeEntry,
  ConsumerError,
  ExtendEntry,
  RejectEntry,
  ReleaseEntry,
} from '../../../domain/settling.ts';
import { components, SHORTHAND } from './components.ts';
import { exampleIds } from './examples.ts';
import { flag, list, strict, text, wholeNumber } from './fields.ts';

const ENTRY_RULE = 'must be a receipt (a string), or an object with "receipt"';

/** The outcomes of a raw receive's acknowledgments travel in one header line. */
const RAW_ACKNOWLEDGE_RECEIPTS_MAX = 100;

const receipt = text(limits.receiptCharactersMax).describe('The receipt of the message.');
const visibilityTimeoutSeconds = wholeNumber(limits.visibilityTimeoutSecondsMin, limits.visibilityTimeoutSecondsMax);
const leaseSeconds = visibilityTimeoutSeconds
  .optional()
  .describe('The visibility timeout of this delivery; by default that of the subscription.');
const waitSeconds = wholeNumber(0, limits.waitSecondsMax)
  .default(limits.waitSecondsDefault)
  .describe('How long to wait when there is no message; 0 answers at once.');
const alongside = 'Receipts of the last batch, which are acknowledged and committed before the call waits.';

const consumerError = strict({
  code: text(limits.errorCodeCharactersMax).describe('A short code of your choice.'),
  message: text(limits.errorMessageCharactersMax).optional().describe('A text for the people who investigate.'),
}).transform((error): ConsumerError => ({ code: error.code, message: error.message ?? null }));

/** An object with a receipt, or the receipt alone. */
function entry<Fields extends z.ZodType>(fields: Fields) {
  return z
    .preprocess(
      (value: string | z.input<Fields>): unknown => (typeof value === 'string' ? { receipt: value } : value),
      fields,
    )
    .meta({ [SHORTHAND]: 'receipt' });
}

const acknowledgeEntry = entry(
  strict(
    {
      receipt,
      reference: text(limits.referenceCharactersMax)
        .nullish()
        .describe('Your own transaction number, stored in the ledger.'),
    },
    ENTRY_RULE,
  ).transform((fields): AcknowledgeEntry => ({ receipt: fields.receipt, reference: fields.reference ?? null })),
);
const releaseEntry = entry(
  strict(
    {
      receipt,
      delay_seconds: wholeNumber(0, limits.backoffSecondsMax)
        .optional()
        .describe('Seconds until the next delivery; by default 0, or the back-off when there is an error.'),
      error: consumerError.optional().describe('The reason; a release with an error is a failed attempt.'),
    },
    ENTRY_RULE,
  ).transform(
    (fields): ReleaseEntry => ({
      receipt: fields.receipt,
      delaySeconds: fields.delay_seconds ?? null,
      error: fields.error ?? null,
    }),
  ),
);
const extendEntry = entry(
  strict({ receipt }, ENTRY_RULE).transform((fields): ExtendEntry => ({ receipt: fields.receipt })),
);
const rejectEntry = entry(
  strict(
    { receipt, error: consumerError.optional().describe('The reason, stored with the dead letter.') },
    ENTRY_RULE,
  ).transform((fields): RejectEntry => ({ receipt: fields.receipt, error: fields.error ?? null })),
);

export const acknowledgeBody = strict({
  receipts: list(acknowledgeEntry, 1, limits.settleReceiptsMax).describe('The receipts to acknowledge.'),
  atomic: flag.default(false).describe('All or nothing: when one receipt is not ok, none is acknowledged.'),
}).register(components, {
  id: 'AcknowledgeRequest',
  description: 'Receipts to acknowledge.',
  examples: {
    'with a reference': { receipts: [{ receipt: exampleIds.receipt, reference: 'BOOKING-4711' }] },
    'receipts alone': { receipts: [exampleIds.receipt, exampleIds.oldReceipt], atomic: true },
  },
});
export const releaseBody = strict({
  receipts: list(releaseEntry, 1, limits.settleReceiptsMax).describe('The receipts to release.'),
}).register(components, {
  id: 'ReleaseRequest',
  description: 'Receipts to release.',
  examples: {
    'a failed attempt': {
      receipts: [{ receipt: exampleIds.receipt, error: { code: 'ERP_DOWN', message: 'no answer' } }],
    },
    'an orderly shutdown': { receipts: [exampleIds.receipt] },
  },
});
export const extendBody = strict({
  receipts: list(extendEntry, 1, limits.settleReceiptsMax).describe('The receipts to extend.'),
  visibility_timeout_seconds: visibilityTimeoutSeconds
    .optional()
    .describe("The new visibility timeout, counted from now; the subscription's by default."),
})
  .transform((body) => ({ receipts: body.receipts, visibilityTimeoutSeconds: body.visibility_timeout_seconds }))
  .register(components, {
    id: 'ExtendRequest',
    description: 'Receipts to extend.',
    examples: { 'five minutes': { receipts: [exampleIds.receipt], visibility_timeout_seconds: 300 } },
  });
export const rejectBody = strict({
  receipts: list(rejectEntry, 1, limits.settleReceiptsMax).describe('The receipts to reject.'),
}).register(components, {
  id: 'RejectRequest',
  description: 'Receipts to reject.',
  examples: { 'not ours': { receipts: [{ receipt: exampleIds.receipt, error: { code: 'NOT_OURS' } }] } },
});

export const receiveBody = strict({
  max_messages: wholeNumber(1, limits.receiveMessagesMax)
    .default(limits.receiveMessagesDefault)
    .describe('The most messages.'),
  max_bytes: wholeNumber(1, limits.receiveBytesMax)
    .default(limits.receiveBytesDefault)
    .describe('The most bytes of all bodies together; the first message is delivered however large it is.'),
  wait_seconds: waitSeconds,
  visibility_timeout_seconds: leaseSeconds,
  acknowledge: list(acknowledgeEntry, 0, limits.settleReceiptsMax).optional().describe(alongside),
})
  .transform((body) => ({
    maxMessages: body.max_messages,
    maxBytes: body.max_bytes,
    waitSeconds: body.wait_seconds,
    visibilityTimeoutSeconds: body.visibility_timeout_seconds,
    acknowledge: body.acknowledge ?? [],
  }))
  .register(components, {
    id: 'ReceiveRequest',
    description: 'How much to receive, and how long to wait for it.',
    examples: {
      defaults: {},
      'a large batch': { max_messages: 100, wait_seconds: 30 },
      'sign and collect': { wait_seconds: 20, acknowledge: [exampleIds.receipt] },
    },
  });

/** A raw receive is for one message, however large. */
export const receiveRawBody = strict({
  wait_seconds: waitSeconds,
  visibility_timeout_seconds: leaseSeconds,
  acknowledge: list(acknowledgeEntry, 0, RAW_ACKNOWLEDGE_RECEIPTS_MAX).optional().describe(alongside),
  attributes_in_one_header: flag
    .default(false)
    .describe('Puts all attributes into `Willcall-Attributes`, for proxies that drop headers with odd names.'),
})
  .transform((body) => ({
    wanted: {
      maxMessages: 1,
      maxBytes: limits.receiveBytesMax,
      waitSeconds: body.wait_seconds,
      visibilityTimeoutSeconds: body.visibility_timeout_seconds,
      acknowledge: body.acknowledge ?? [],
    },
    attributesInOneHeader: body.attributes_in_one_header,
  }))
  .register(components, {
    id: 'ReceiveRawRequest',
    description: 'How long to wait for a message.',
    examples: { defaults: {}, 'sign and collect': { wait_seconds: 20, acknowledge: [exampleIds.receipt] } },
  });
