// Messages as publishers send them. A parsed message is the domain's own, its body already bytes.

import { z } from 'zod';
import { limits } from '../../../domain/limits.ts';
import type { NewMessage } from '../../../domain/message.ts';
import { components } from './components.ts';
import { exampleBody } from './examples.ts';
import { findTextFault, list, mediaType, strict, text, time, wholeNumber } from './fields.ts';

const MS_PER_SECOND = 1000;
const ATTRIBUTE_NAME_RULE =
  'must be named by 1 to 128 letters, digits, dots, underscores and hyphens, beginning with a letter or a digit';

export const orderingKey = text(limits.orderingKeyCharactersMax);
export const dedupeKey = text(limits.dedupeKeyCharactersMax);
export const delaySeconds = wholeNumber(0, limits.delaySecondsMax);
export const deliverAt = time.refine((at) => at.getTime() <= Date.now() + limits.delaySecondsMax * MS_PER_SECOND, {
  error: `must be at most ${limits.delaySecondsMax} seconds ahead`,
});

/** Names and values that both JSON and header lines can carry. */
export const attributes = z
  .unknown()
  .transform((value, context): Record<string, string> => {
    if (typeof value !== 'object' || value === null || Array.isArray(value)) {
      context.addIssue({ code: 'custom', message: 'must be an object of strings' });
      return z.NEVER;
    }
    const entries = Object.entries(value);
    for (const fault of findAttributeFaults(entries)) {
      context.addIssue({ code: 'custom', path: fault.name === null ? [] : [fault.name], message: fault.message });
      return z.NEVER;
    }
    return Object.fromEntries(entries);
  })
  .meta({
    type: 'object',
    propertyNames: { pattern: limits.attributeNamePattern.source },
    additionalProperties: { type: 'string' },
    maxProperties: limits.attributesMax,
  });

const MESSAGE_RULE = 'must be an object such as {"body": "text"}';
const fields = strict(
  {
    body: z
      .string({ error: 'must be a string; send bytes that are not text as base64, with "body_encoding": "base64"' })
      .describe('Text, or bytes as base64; may be empty. At most the `max_message_bytes` of the topic.'),
    body_encoding: z
      .enum(['utf8', 'base64'], { error: 'must be "utf8" or "base64"' })
      .optional()
      .describe('The encoding of `body`; `utf8` by default.'),
    content_type: mediaType.nullish().describe('A media type, delivered with the message.'),
    attributes: attributes
      .nullish()
      .describe(
        `Named texts beside the body, ${limits.attributesBytesMax} bytes together. Two names must not differ in case only.`,
      ),
    ordering_key: orderingKey.nullish().describe('Stored and delivered with the message.'),
    dedupe_key: dedupeKey
      .nullish()
      .describe(
        "Makes the publish repeatable: within the topic's window, the same key of the same publisher is the same message.",
      ),
    delay_seconds: delaySeconds.optional().describe('Seconds until the message enters the log.'),
    deliver_at: deliverAt
      .optional()
      .describe('When the message enters the log, at most a year ahead. Not together with `delay_seconds`.'),
  },
  MESSAGE_RULE,
);

const newMessage = fields.transform((message, context): NewMessage => {
  const body = message.body_encoding === 'base64' ? readBase64(message.body) : readUtf8(message.body);
  if (typeof body === 'string') context.addIssue({ code: 'custom', path: ['body'], message: body });
  refuseTwoTimes(message.delay_seconds, message.deliver_at, 'deliver_at', context);
  return {
    body: typeof body === 'string' ? Buffer.alloc(0) : body,
    contentType: message.content_type ?? null,
    attributes: message.attributes ?? null,
    orderingKey: message.ordering_key ?? null,
    dedupeKey: message.dedupe_key ?? null,
    delaySeconds: message.delay_seconds ?? null,
    deliverAt: message.deliver_at ?? null,
  };
});

/** The body of a publish. */
export const publishBody = strict({
  messages: list(newMessage, 1, limits.publishMessagesMax).describe('All of them are published, or none.'),
}).register(components, {
  id: 'PublishRequest',
  description: 'Messages to publish.',
  examples: {
    'two messages': {
      messages: [
        { body: exampleBody.text, content_type: 'application/xml', attributes: { document: 'ping' } },
        { body: 'AAEC', body_encoding: 'base64', delay_seconds: 60 },
      ],
    },
    'one that may be repeated': { messages: [{ body: exampleBody.text, dedupe_key: 'ping-2026-03-17' }] },
  },
});

/** A message is delayed by a duration or until an instant. */
export function refuseTwoTimes(
  delay: number | undefined,
  instant: Date | undefined,
  field: string,
  context: z.RefinementCtx,
): void {
  if (delay === undefined || instant === undefined) return;
  context.addIssue({
    code: 'custom',
    path: [field],
    message: 'must not stand beside a delay in seconds: send one of them',
  });
}

/**
 * The first thing wrong with the attributes, if any; `name` is null when it is all of them
 * together.
 */
function* findAttributeFaults(
  entries: readonly [string, unknown][],
): Generator<{ name: string | null; message: string }> {
  if (entries.length > limits.attributesMax) {
    yield { name: null, message: `must be at most ${limits.attributesMax} attributes` };
  }
  const seen = new Set<string>();
  let bytes = 0;
  for (const [name, value] of entries) {
    if (!limits.attributeNamePattern.test(name)) yield { name, message: ATTRIBUTE_NAME_RULE };
    // Header lines know no case: two such names would become one on the way to a client of the raw
    // calls.
    if (seen.has(name.toLowerCase())) yield { name, message: 'must not differ from another name in case alone' };
    seen.add(name.toLowerCase());
    if (typeof value !== 'string') yield { name, message: 'must be a string' };
    else {
      const fault = findTextFault(value);
      if (fault !== null) yield { name, message: fault };
      bytes += Buffer.byteLength(name) + Buffer.byteLength(value);
    }
  }
  if (bytes > limits.attributesBytesMax) {
    yield { name: null, message: `must be at most ${limits.attributesBytesMax} bytes, names and values together` };
  }
}

/** The bytes of a string, or what is wrong with it. */
function readUtf8(body: string): Buffer | string {
  return body.isWellFormed() ? Buffer.from(body, 'utf8') : 'must be valid Unicode, without lone surrogates';
}

/**
 * Node skips what is not base64; encoding the result again shows whether anything was lost (RFC
 * 4648, section 3.5).
 */
function readBase64(body: string): Buffer | string {
  const bytes = Buffer.from(body, 'base64');
  return bytes.toString('base64') === body
    ? bytes
    : 'must be base64 (RFC 4648, section 4) with padding and no line breaks';
}
