// Parameters of paths, and headers of answers, that belong to no one call.

import { z } from 'zod';
import { idempotencyKeyPattern, name } from './fields.ts';

/** By the names that the paths of routes give them. */
export const pathParameters = z.object({
  topic: name.describe('The name of the topic.').meta({ examples: ['payments'] }),
  subscription: name.describe('The name of the subscription.').meta({ examples: ['acme-erp'] }),
  key: z
    .string()
    .describe('The id of the key.')
    .meta({ examples: ['wk_019cfa8e43d6a1b2c3d4'] }),
});

export const idempotencyKey = z
  .string()
  .regex(idempotencyKeyPattern)
  .optional()
  .describe('A key of your own, by which a repetition of this call is known.')
  .meta({ examples: ['batch-000917'] });

/** Of a receive that may be repeated when its answer got lost, and what comes of it. */
export const repeatableHeaders = z.object({ 'Idempotency-Key': idempotencyKey });
export const REPEATED =
  'With an `Idempotency-Key`, a lost answer can be asked for again: what is still outstanding of the same delivery comes ' +
  'once more, with the same receipts and a new visibility timeout. While the first call still waits, the second takes ' +
  'its place and the first is answered empty. Once everything is settled or expired, the key is free.';

export const location = z.object({
  Location: z
    .string()
    .describe('The path of what was created.')
    .meta({ examples: ['/v1/topics/payments'] }),
});

/** Of every answer to a key whose calls are counted (draft-ietf-httpapi-ratelimit-headers-10). */
export const rateLimitHeaders = z.object({
  'RateLimit-Policy': z
    .string()
    .optional()
    .describe(
      'How many calls (`q`) the key may make at once after a rest, and in how many seconds (`w`) that many more.',
    )
    .meta({ examples: ['"key";q=2000;w=2'] }),
  RateLimit: z
    .string()
    .optional()
    .describe('How many calls (`r`) the key may make at once now, and in how many seconds (`t`) the whole quota again.')
    .meta({ examples: ['"key";r=1999;t=1'] }),
});

export const pageHeaders = z.object({
  'Content-Security-Policy': z
    .string()
    .describe('A browser may show the page and do nothing else with it.')
    .meta({ examples: ["default-src 'none'; style-src 'sha256-…'"] }),
});
