// Keyset pages: `after` is the `next` of the page before, and filters narrow what is listed.

import { z } from 'zod';
import { deadLetterReasons } from '../../../domain/ledger.ts';
import { limits } from '../../../domain/limits.ts';
import { name, strict, text, timeText, wholeNumber, written } from './fields.ts';

const MESSAGE_ID_CHARACTERS_MAX = 128;
const PRINCIPAL_CHARACTERS_MAX = 256;

export const limit = written(wholeNumber(1, limits.pageItemsMax).default(limits.pageItemsDefault)).describe(
  'How many items at most.',
);
export const after = 'The `next` of the page before; without it, the first page.';
const afterNumber = written(wholeNumber(0, Number.MAX_SAFE_INTEGER)).optional().describe(after);

export const namePageQuery = strict({ limit, after: name.optional().describe(after) });

export const acknowledgmentsQuery = strict({
  limit,
  after: afterNumber,
  from: timeText.optional().describe('Only what was acknowledged at this time or later.'),
  until: timeText.optional().describe('Only what was acknowledged before this time.'),
  message_id: text(MESSAGE_ID_CHARACTERS_MAX).optional().describe('Only this message.'),
  acknowledged_by: text(PRINCIPAL_CHARACTERS_MAX).optional().describe('Only what this principal acknowledged.'),
}).transform(({ message_id: messageId, acknowledged_by: acknowledgedBy, ...page }) => ({
  ...page,
  messageId,
  acknowledgedBy,
}));

export const deadLettersQuery = strict({
  limit,
  after: afterNumber,
  reason: z
    .enum(deadLetterReasons, { error: `must be one of ${deadLetterReasons.join(', ')}` })
    .optional()
    .describe('Only what was set aside for this reason.'),
});
