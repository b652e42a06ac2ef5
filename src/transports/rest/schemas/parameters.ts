// Parameters of paths, and headers of answers, that belong to no one call.

import { z } from 'zod';
import { exampleIds } from './examples.ts';
import { idempotencyKeyPattern, name } from './fields.ts';

/** By the names that the paths of routes give them. */
export const pathParameters = z.object({
  topic: name.describe('The name of the topic.').meta({ examples: ['payments'] }),
  subscription: name.describe('The name of the subscription.').meta({ examples: ['acme-erp'] }),
  ledger: z
    .string()
    .describe('The id of a subscription, living or deleted.')
    .meta({ examples: [exampleIds.subscription] }),
  key: z
    .string()
    .describe('The id of the key.')
    .meta({ examples: ['wk_019cfa8e43d6a1b2c3d4'] }),
});

export const idempotencyKey = z
  .string()
  .regex(idempotencyKeyPattern)
  .optional()
  .describe('A key of your choice that identifies repetitions of this call.')
  .meta({ examples: ['batch-000917'] });

/** Of a receive that may be repeated when its answer got lost, and what comes of it. */
export const repeatableHeaders = z.object({ 'Idempotency-Key': idempotencyKey });
export const REPEATED =
  'With an `Idempotency-Key`, a call whose answer was lost can be repeated: the messages of the same delivery that are not ' +
  'settled come again, with the same receipts and a new visibility timeout. While the first call ' +
  'still waits, the second one replaces it, and the first gets an empty answer. When everything is ' +
  'settled or expired, the key is free.';

export const location = z.object({
  Location: z
    .string()
    .describe('The path of the new resource.')
    .meta({ examples: ['/v1/topics/payments'] }),
});

/** Of calls on topics and subscriptions (RFC 9110, section 13.1). */
export const conditionHeaders = z.object({
  'If-Match': z
    .string()
    .optional()
    .describe('Entity tags, one of which must be that of what there is, or `*` for anything; else 412.'),
  'If-None-Match': z
    .string()
    .optional()
    .describe(
      'Entity tags, none of which may be that of what there is, or `*` for nothing; else 412, or 304 of a GET.',
    ),
});

const entityTag = z
  .string()
  .describe('The entity tag of the settings. Statistics are no part of it.')
  .meta({ examples: ['"pCUUBmYr4Rp4kqJ1"'] });

export const taggedHeaders = z.object({ ETag: entityTag });

/** Of every answer to a key whose calls are counted (draft-ietf-httpapi-ratelimit-headers-10). */
export const rateLimitHeaders = z.object({
  'RateLimit-Policy': z
    .string()
    .optional()
    .describe(
      'How many calls (`q`) the key can make at once after a pause, and after how many seconds (`w`) as ' +
        'many again.',
    )
    .meta({ examples: ['"key";q=2000;w=2'] }),
  RateLimit: z
    .string()
    .optional()
    .describe(
      'How many calls (`r`) the key can make at once now, and after how many seconds (`t`) it has the ' +
        'whole quota again.',
    )
    .meta({ examples: ['"key";r=1999;t=1'] }),
});

export const pageHeaders = z.object({
  'Content-Security-Policy': z
    .string()
    .describe('A browser may display the page, and may load and run nothing.')
    .meta({ examples: ["default-src 'none'; style-src 'sha256-…'"] }),
});
