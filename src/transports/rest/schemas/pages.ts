// Keyset pages: `after` is the `next` of the page before, and filters narrow what is listed.

import { z } from 'zod';
import { parseCursor } from '../../../domain/cursor.ts';
import { deadLetterReasons } from '../../../domain/ledger.ts';
import { limits } from '../../../domain/limits.ts';
import { parseMessageId } from '../../../domain/message-id.ts';
import { name, strict, text, timeText, wholeNumber, written } from './fields.ts';

const PRINCIPAL_CHARACTERS_MAX = 256;

export const limit = written(wholeNumber(1, limits.pageItemsMax).default(limits.pageItemsDefault)).describe(
  'The most items.',
);
export const after = 'The `next` of the page before; without it, the first page.';
const CURSOR_RULE = 'must be the `next` of a page of this list';
const searchCursor = z
  .string()
  .transform((value, context) => {
    const cursor = parseCursor(value);
    if (cursor !== null) return cursor;
    context.addIssue({ code: 'custom', message: CURSOR_RULE });
    return z.NEVER;
  })
  .optional()
  .describe(after);
const afterCursor = searchCursor.describe(
  `${after} A plain number is taken too, while the name has had only one ledger.`,
);
const digest = z
  .string()
  .regex(/^[0-9a-f]{64}$/, { error: 'must be 64 lower-case hexadecimal digits' })
  .transform((digits) => Buffer.from(digits, 'hex'));

export const namePageQuery = strict({ limit, after: name.optional().describe(after) });

export const subscriptionsQuery = strict({
  limit,
  after: name.optional().describe(after),
  deleted: z
    .enum(['true', 'false'], { error: 'must be true or false' })
    .optional()
    .describe('`true` lists the deleted ones instead.'),
});

/** What narrows a list of acknowledgments. */
export const acknowledgmentFilter = {
  from: timeText.optional().describe('Only acknowledgments at this time or later.'),
  until: timeText.optional().describe('Only acknowledgments before this time.'),
  message_id: z
    .string()
    .refine((id) => parseMessageId(id) !== null, { error: 'must be the id of a message, such as a publish answers' })
    .optional()
    .describe('Only acknowledgments of this message.'),
  acknowledged_by: text(PRINCIPAL_CHARACTERS_MAX).optional().describe('Only acknowledgments of this principal.'),
  key_id: text(PRINCIPAL_CHARACTERS_MAX).optional().describe('Only acknowledgments with this key.'),
  reference: text(limits.referenceCharactersMax).optional().describe('Only acknowledgments with this reference.'),
  body_sha256: digest.optional().describe('Only messages whose body has this SHA-256 digest.'),
};

/** With the domain's names. */
export function toAcknowledgmentFilter<
  Fields extends {
    readonly message_id?: string | undefined;
    readonly acknowledged_by?: string | undefined;
    readonly key_id?: string | undefined;
    readonly body_sha256?: Buffer | undefined;
  },
>({ message_id: messageId, acknowledged_by: acknowledgedBy, key_id: keyId, body_sha256: bodySha256, ...rest }: Fields) {
  return { ...rest, messageId, acknowledgedBy, keyId, bodySha256 };
}

export const acknowledgmentsQuery = strict({ limit, after: afterCursor, ...acknowledgmentFilter }).transform(
  toAcknowledgmentFilter,
);

export const acknowledgmentsSearch = strict({
  limit,
  after: searchCursor,
  ...acknowledgmentFilter,
  topic: name.optional().describe('Only acknowledgments of messages of this topic.'),
}).transform(toAcknowledgmentFilter);

export const unacknowledgedQuery = strict({
  limit,
  after: afterCursor,
  from: timeText.optional().describe('Only messages that were published at this time or later.'),
  by: timeText
    .optional()
    .describe('Only messages that were published before this time and not acknowledged by then; now, if absent.'),
});

export const deadLettersQuery = strict({
  limit,
  after: afterCursor,
  reason: z
    .enum(deadLetterReasons, { error: `must be one of ${deadLetterReasons.join(', ')}` })
    .optional()
    .describe('Only those with this reason.'),
});
