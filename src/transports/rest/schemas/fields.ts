// The kinds of fields that bodies are made of. Those of requests say in one phrase what would be
// right, limit included; the phrase follows the field's name in the answer's sentence. What JSON
// Schema cannot read off a check stands beside it as metadata, made of the same limits
// (docs/decisions/0021-openapi-from-zod.md).

import { z } from 'zod';
import { Instant, microsecondsOf, readInstant } from '../../../domain/instant.ts';
import { limits } from '../../../domain/limits.ts';
import { findNearest } from '../../../spelling.ts';

export const NAME_RULE =
  'must be 1 to 128 letters, digits, dots, underscores and hyphens, beginning with a letter or a digit';

/**
 * Visible ASCII as it stands, quotes included where a client sends them
 * (draft-ietf-httpapi-idempotency-key-header).
 */
export const idempotencyKeyPattern = new RegExp(`^[\\x21-\\x7e]{1,${limits.idempotencyKeyCharactersMax}}$`);

// RFC 9110, section 8.3.1; parameters are kept as they are, but have to fit into a header line
// again, whose value loses blanks at its end.
const MEDIA_TYPE = /^[!#$%&'*+.^_`|~0-9A-Za-z-]+\/[!#$%&'*+.^_`|~0-9A-Za-z-]+(?:[\t ]*;(?:[\x20-\x7e]*[\x21-\x7e])?)?$/;
const RFC_3339 = z.iso.datetime({ offset: true });
const LEAP_SECOND = /(?<=T\d\d:59:)60/;
const MS_PER_SECOND = 1000;
const TIME_MAX = Date.parse('9999-12-31T23:59:59.999Z');

/**
 * An object without other fields than these; `notAnObject` says what is right where there is
 * another way to write it, and `others` what is wrong with fields that are known elsewhere.
 */
export function strict<Shape extends z.core.$ZodLooseShape>(
  shape: Shape,
  notAnObject = 'must be an object',
  others: Readonly<Record<string, string>> = {},
) {
  const known = Object.keys(shape);
  return z.strictObject(shape, {
    error: (issue) => {
      if (issue.code !== 'unrecognized_keys') return notAnObject;
      // A line for each field.
      return issue.keys.map((key) => describeUnknown(key, known, others)).join('\n');
    },
  });
}

function describeUnknown(key: string, known: readonly string[], others: Readonly<Record<string, string>>): string {
  if (Object.hasOwn(others, key)) return others[key] ?? '';
  const nearest = findNearest(key, known);
  const hint = nearest === null ? '' : `did you mean ${nearest}? `;
  return `is unknown here; ${hint}known are ${known.join(', ')}`;
}

/** A list whose length is checked before its items, so that a list of millions costs nothing. */
export function list<Item extends z.ZodType>(item: Item, min: number, max: number) {
  const checkLength = (value: readonly z.input<Item>[], context: z.RefinementCtx) => {
    if (Array.isArray(value) && value.length >= min && value.length <= max) return value;
    context.addIssue({ code: 'custom', message: `must be a list of ${min} to ${max} items` });
    return z.NEVER;
  };
  return z.preprocess(checkLength, z.array(item).min(min).max(max));
}

export function wholeNumber(min: number, max: number) {
  const error = `must be a whole number from ${min} to ${max}`;
  return z.int({ error }).min(min, { error }).max(max, { error });
}

/**
 * A whole number as a header or a query string writes it; `number` says which ones, and the default
 * if there is one.
 */
export function written<Inner extends z.ZodType<number>>(number: Inner) {
  const readDigits = (value: string | undefined) => {
    if (value === undefined) return value;
    return typeof value === 'string' && /^\d{1,16}$/.test(value) ? Number(value) : Number.NaN;
  };
  return z.preprocess(readDigits, number);
}

export const flag = z.boolean({ error: 'must be true or false' });

/** Text that PostgreSQL can keep: well-formed Unicode without NUL, and not empty. */
export function text(charactersMax: number) {
  const error = `must be a string of 1 to ${charactersMax} characters`;
  return z
    .string({ error })
    .superRefine((value, context) => {
      const fault = value.length === 0 || value.length > charactersMax ? error : findTextFault(value);
      if (fault !== null) context.addIssue({ code: 'custom', message: fault });
    })
    .meta({ minLength: 1, maxLength: charactersMax });
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
  })
  .meta({ maxLength: limits.contentTypeCharactersMax, pattern: MEDIA_TYPE.source });

const DATE_TIME = { type: 'string', format: 'date-time' };

/** RFC 3339, with an offset; years 1970 to 9999. */
export const time = z.unknown().transform(readTime).meta(DATE_TIME);

/**
 * The same in a query string, where the plus sign of an offset, sent as it is, arrives as a space.
 */
export const timeText = z
  .unknown()
  .transform((value, context) => readTime(String(value).replace(' ', '+'), context))
  .meta(DATE_TIME);

/**
 * An instant in an answer: RFC 3339 in UTC with microseconds, which is how JSON.stringify writes a
 * Date.
 */
export const instant = z.custom<Date | string>().meta(DATE_TIME);

/** Public ids in answers: of one topic or subscription, and of no later one of its name. */
export const topicId = publicId('top', 'topic');
export const subscriptionId = publicId('sub', 'subscription');

/** Of a page. */
export const hasMore = z.boolean().describe('Whether there is more now.');

/** A whole number in an answer. */
export function count(min = 0) {
  return z.int().min(min);
}

function readTime(value: unknown, context: z.RefinementCtx): Date {
  const at = typeof value === 'string' ? readRfc3339(value.toUpperCase()) : null;
  if (at !== null && at.getTime() >= 0 && at.getTime() <= TIME_MAX) return at;
  context.addIssue({ code: 'custom', message: 'must be an RFC 3339 time such as 2026-01-31T09:30:00Z' });
  return z.NEVER;
}

/** With a leap second, which is the one before the next minute (RFC 3339, section 5.7). */
function readRfc3339(text: string): Date | null {
  const whole = text.replace(LEAP_SECOND, '59');
  if (!RFC_3339.safeParse(whole).success) return null;
  const at = readInstant(whole, (part) => new Date(part));
  return whole === text ? at : new Instant(at.getTime() + MS_PER_SECOND, microsecondsOf(at));
}

function publicId(prefix: string, noun: string) {
  return z
    .string()
    .regex(new RegExp(`^${prefix}_[0-9a-f]{32}$`))
    .describe(`The id of the ${noun}, which no later ${noun} of the name has.`);
}
