// Keyset pages: `after` is the `next` of the page before, and filters narrow what is listed.

import { z } from 'zod';
import { deadLetterReasons } from '../../../domain/ledger.ts';
import { limits } from '../../../domain/limits.ts';
import { parseMessageId } from '../../../domain/message-id.ts';
import { name, strict, text, timeText, wholeNumber, written } from './fields.ts';

const PRINCIPAL_CHARACTERS_MAX = 256;

export const limit = written(wholeNumber(1, limits.pageItemsMax).default(limits.pageItemsDefault)).describe(
  'The most items.',
);
export const after = 'The `next` of the page before; without it, the first page.';
const afterNumber = written(wholeNumber(0, Number.MAX_SAFE_INTEGER)).optional().describe(after);

export const namePageQuery = strict({ limit, after: name.optional().describe(after) });

export const acknowledgmentsQuery = strict({
  limit,
  after: afterNumber,
  from: timeText.optional().describe('Only acknowledgments at this time or later.'),
  until: timeText.optional().describe('Only acknowledgments before this time.'),
  message_id: z
    .string()
    .refine((id) => parseMessageId(id) !== null, { error: 'must be the id of a message, such as a publish answers' })
    .optional()
    .describe('Only acknowledgments of this message.'),
  acknowledged_by: text(PRINCIPAL_CHARACTERS_MAX).optional().describe('Only acknowledgments of this principal.'),
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
    .describe('Only those with this reason.'),
});
