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
import { flag, list, strict, text, wholeNumber } from './fields.ts';

/** The outcomes of a raw receive's acknowledgments travel in one header line. */
const RAW_ACKNOWLEDGE_RECEIPTS_MAX = 100;

const receipt = text(limits.receiptCharactersMax);
const visibilityTimeoutSeconds = wholeNumber(limits.visibilityTimeoutSecondsMin, limits.visibilityTimeoutSecondsMax);
const waitSeconds = wholeNumber(0, limits.waitSecondsMax).default(limits.waitSecondsDefault);

const consumerError = strict({
  code: text(limits.errorCodeCharactersMax),
  message: text(limits.errorMessageCharactersMax).optional(),
}).transform((error): ConsumerError => ({ code: error.code, message: error.message ?? null }));

/** An object with a receipt, or the receipt alone. */
function entry<Fields extends z.ZodType>(fields: Fields) {
  return z.preprocess((value) => (typeof value === 'string' ? { receipt: value } : value), fields);
}

const acknowledgeEntry = entry(
  strict({ receipt, reference: text(limits.referenceCharactersMax).nullish() }).transform(
    (fields): AcknowledgeEntry => ({ receipt: fields.receipt, reference: fields.reference ?? null }),
  ),
);
const releaseEntry = entry(
  strict({
    receipt,
    delay_seconds: wholeNumber(0, limits.backoffSecondsMax).optional(),
    error: consumerError.optional(),
  }).transform(
    (fields): ReleaseEntry => ({
      receipt: fields.receipt,
      delaySeconds: fields.delay_seconds ?? null,
      error: fields.error ?? null,
    }),
  ),
);
const extendEntry = entry(strict({ receipt }).transform((fields): ExtendEntry => ({ receipt: fields.receipt })));
const rejectEntry = entry(
  strict({ receipt, error: consumerError.optional() }).transform(
    (fields): RejectEntry => ({ receipt: fields.receipt, error: fields.error ?? null }),
  ),
);

export const acknowledgeBody = strict({
  receipts: list(acknowledgeEntry, 1, limits.settleReceiptsMax),
  atomic: flag.default(false),
});
export const releaseBody = strict({ receipts: list(releaseEntry, 1, limits.settleReceiptsMax) });
export const extendBody = strict({
  receipts: list(extendEntry, 1, limits.settleReceiptsMax),
  visibility_timeout_seconds: visibilityTimeoutSeconds.optional(),
}).transform((body) => ({ receipts: body.receipts, visibilityTimeoutSeconds: body.visibility_timeout_seconds }));
export const rejectBody = strict({ receipts: list(rejectEntry, 1, limits.settleReceiptsMax) });

export const receiveBody = strict({
  max_messages: wholeNumber(1, limits.receiveMessagesMax).default(limits.receiveMessagesDefault),
  max_bytes: wholeNumber(1, limits.receiveBytesMax).default(limits.receiveBytesDefault),
  wait_seconds: waitSeconds,
  visibility_timeout_seconds: visibilityTimeoutSeconds.optional(),
  acknowledge: list(acknowledgeEntry, 0, limits.settleReceiptsMax).optional(),
}).transform((body) => ({
  maxMessages: body.max_messages,
  maxBytes: body.max_bytes,
  waitSeconds: body.wait_seconds,
  visibilityTimeoutSeconds: body.visibility_timeout_seconds,
  acknowledge: body.acknowledge ?? [],
}));

/** A raw receive is for one message, however large. */
export const receiveRawBody = strict({
  wait_seconds: waitSeconds,
  visibility_timeout_seconds: visibilityTimeoutSeconds.optional(),
  acknowledge: list(acknowledgeEntry, 0, RAW_ACKNOWLEDGE_RECEIPTS_MAX).optional(),
}).transform((body) => ({
  maxMessages: 1,
  maxBytes: limits.receiveBytesMax,
  waitSeconds: body.wait_seconds,
  visibilityTimeoutSeconds: body.visibility_timeout_seconds,
  acknowledge: body.acknowledge ?? [],
}));
