// The kinds of fields that requests are made of. Each says in one phrase what would be right, limit included; the phrase
// follows the field's name in the answer's sentence.

import { z } from 'zod';
import { limits } from '../../../domain/limits.ts';

export const NAME_RULE =
  'must be 1 to 128 letters, digits, dots, underscores and hyphens, beginning with a letter or a digit';

// RFC 9110, section 8.3.1; parameters are kept as they are, but have to fit into a header line again.
const MEDIA_TYPE = /^[!#$%&'*+.^_`|~0-9A-Za-z-]+\/[!#$%&'*+.^_`|~0-9A-Za-z-]+(?:[\t ]*;[\x20-\x7e]*)?$/;
const RFC_3339 = z.iso.datetime({ offset: true });
const TIME_MAX = Date.parse('9999-12-31T23:59:59.999Z');

/** An object without other fields than these. */
export function strict<Shape extends z.core.$ZodLooseShape>(shape: Shape) {
  const known = Object.keys(shape).join(', ');
  return z.strictObject(shape, {
    error: (issue) =>
      issue.code === 'unrecognized_keys' ? `is unknown here; known are ${known}` : 'must be an object',
  });
}

/** A list whose length is checked before its items, so that a list of millions costs nothing. */
export function list<Item extends z.ZodType>(item: Item, min: number, max: number) {
  const error = `must be a list of ${min} to ${max} items`;
  return z.array(z.unknown(), { error }).min(min, { error }).max(max, { error }).pipe(z.array(item));
}

export function wholeNumber(min: number, max: number) {
  const error = `must be a whole number from ${min} to ${max}`;
  return z.int({ error }).min(min, { error }).max(max, { error });
}

/** A whole number written in a query string. */
export function wholeNumberText(min: number, max: number) {
  const error = `must be a whole number from ${min} to ${max}`;
  return z
    .string({ error })
    .regex(/^\d{1,16}$/, { error, abort: true })
    .transform(Number)
    .refine((value) => value >= min && value <= max, { error });
}

export const flag = z.boolean({ error: 'must be true or false' });

/** Text that PostgreSQL can keep: well-formed Unicode without NUL, and not empty. */
export function text(charactersMax: number) {
  const error = `must be a string of 1 to ${charactersMax} characters`;
  return z.string({ error }).superRefine((value, context) => {
    const fault = value.length === 0 || value.length > charactersMax ? error : findTextFault(value);
    if (fault !== null) context.addIssue({ code: 'custom', message: fault });
  });
}

/** What keeps a string from being stored as text; null when nothing does. */
export function findTextFault(value: string): string | null {
  if (!value.isWellFormed()) return 'must be valid Unicode, without lone surrogates';
  return value.includes('\0') ? 'must not contain NUL characters (U+0000)' : null;
}

export const name = z.string({ error: NAME_RULE }).regex(limits.namePattern, { error: NAME_RULE });

const MEDIA_TYPE_RULE = `must be a media type such as text/xml; charset=utf-8, of at most ${limits.contentTypeCharactersMax} characters`;
export const mediaType = z
  .string({ error: MEDIA_TYPE_RULE })
  .refine((value) => value.length <= limits.contentTypeCharactersMax && MEDIA_TYPE.test(value), {
    error: MEDIA_TYPE_RULE,
  });

/** RFC 3339, with an offset; years 1970 to 9999. */
export const time = z.unknown().transform(readTime);

/** The same in a query string, where the plus sign of an offset, sent as it is, arrives as a space. */
export const timeText = z.unknown().transform((value, context) => readTime(String(value).replace(' ', '+'), context));

function readTime(value: unknown, context: z.RefinementCtx): Date {
  const at = typeof value === 'string' && RFC_3339.safeParse(value).success ? Date.parse(value) : Number.NaN;
  if (at >= 0 && at <= TIME_MAX) return new Date(at);
  context.addIssue({ code: 'custom', message: 'must be an RFC 3339 time such as 2026-01-31T09:30:00Z' });
  return z.NEVER;
}
