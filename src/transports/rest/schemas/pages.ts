// Keyset pages: `after` is the `next` of the page before, and filters narrow what is listed.

import { z } from 'zod';
import { deadLetterReasons } from '../../../domain/ledger.ts';
import { limits } from '../../../domain/limits.ts';
import { name, strict, text, timeText, wholeNumberText } from './fields.ts';

const MESSAGE_ID_CHARACTERS_MAX = 128;
const PRINCIPAL_CHARACTERS_MAX = 256;

export const limit = wholeNumberText(1, limits.pageItemsMax).default(limits.pageItemsDefault);
const afterNumber = wholeNumberText(0, Number.MAX_SAFE_INTEGER).optional();

export const namePageQuery = strict({ limit, after: name.optional() });

export const acknowledgmentsQuery = strict({
  limit,
  after: afterNumber,
  from: timeText.optional(),
  until: timeText.optional(),
  message_id: text(MESSAGE_ID_CHARACTERS_MAX).optional(),
  acknowledged_by: text(PRINCIPAL_CHARACTERS_MAX).optional(),
}).transform(({ message_id: messageId, acknowledged_by: acknowledgedBy, ...page }) => ({
  ...page,
  messageId,
  acknowledgedBy,
}));

export const deadLettersQuery = strict({
  limit,
  after: afterNumber,
  reason: z.enum(deadLetterReasons, { error: `must be one of ${deadLetterReasons.join(', ')}` }).optional(),
});
