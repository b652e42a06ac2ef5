// Problem documents (RFC 9457) as answers show them.

import { z } from 'zod';
import { keyChallenge } from '../../http/key-authentication.ts';
import { problemCodes } from '../../http/problems.ts';
import { components } from './components.ts';
import { exampleIds } from './examples.ts';
import { count } from './fields.ts';
import { acknowledgeResults, settleResults } from './message-answers.ts';

/** Of an answer that is a problem. */
const STATUS_MIN = 400;
const STATUS_MAX = 599;

const problemFields = {
  type: z.string().describe('A URN that ends in the code.'),
  title: z.string().describe('A short description of the code, for people.'),
  status: z.int().min(STATUS_MIN).max(STATUS_MAX).describe('The status of the answer.'),
  detail: z.string().describe('What is wrong and what to do next, for people.'),
  code: z.enum(problemCodes).describe('What is wrong, for programs. Codes never change their meaning.'),
  request_id: z.string().optional().describe('The `X-Request-Id` of the answer.'),
};

export const problem = z
  .object({
    ...problemFields,
    errors: z
      .array(
        z.object({
          field: z.string().describe('The path of the field, such as `messages[3].body`.'),
          message: z.string().describe('What is allowed, with its limit.'),
        }),
      )
      .optional()
      .describe('What is wrong with the request, by field; at most 20 entries.'),
  })
  .register(components, { id: 'Problem', description: 'What is wrong with a request.', examples: {} });

export const acknowledgeProblem = z.object({ ...problemFields, ...acknowledgeResults }).register(components, {
  id: 'AcknowledgeProblem',
  description: 'No receipt was acknowledged; the reason is given for each.',
  examples: {},
});

export const settleProblem = z.object({ ...problemFields, ...settleResults }).register(components, {
  id: 'SettleProblem',
  description: 'No receipt was settled; the reason is given for each.',
  examples: {},
});

const refused = { receipt: exampleIds.oldReceipt, message_id: exampleIds.message };
/** The members that examples of these problems have beyond every problem's. */
export const acknowledgeProblemExample = {
  results: [
    {
      ...refused,
      outcome: 'superseded',
      topic: 'payments',
      subscription: 'acme-erp',
      ack_no: null,
      acknowledged_at: null,
      reference: null,
      reference_differs: false,
    },
  ],
  failed: 1,
};
export const settleProblemExample = { results: [{ ...refused, outcome: 'superseded' }], failed: 1 };

const retryAfter = count(1)
  .describe('Seconds after which to try again.')
  .meta({ examples: [1] });

/** The headers that a problem has by its status. */
export const headersByStatus: Readonly<Record<number, z.ZodObject>> = {
  401: z.object({
    'WWW-Authenticate': z
      .string()
      .describe('How a key can be sent.')
      .meta({ examples: [keyChallenge.join(', ')] }),
  }),
  405: z.object({
    Allow: z
      .string()
      .describe('The methods that the path knows.')
      .meta({ examples: ['GET, HEAD'] }),
  }),
  415: z.object({
    'Accept-Encoding': z
      .string()
      .optional()
      .describe('The content codings that are known, where another one was sent.')
      .meta({ examples: ['gzip'] }),
  }),
  429: z.object({ 'Retry-After': retryAfter }),
  503: z.object({ 'Retry-After': retryAfter }),
};
