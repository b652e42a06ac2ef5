// One message as one HTTP body, for clients that would rather not wrap it in JSON: everything that is not the body
// travels in headers, percent-encoded where it may be any text.

import { Readable } from 'node:stream';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { z } from 'zod';
import { limits } from '../../domain/limits.ts';
import type { NewMessage, ReceivedMessage } from '../../domain/message.ts';
import type { SettleResult } from '../../domain/settling.ts';
import { parseFields, readIdempotencyKey, refuse } from './requests.ts';
import { mediaType, wholeNumberText } from './schemas/fields.ts';
import { attributes, deliverAt, orderingKey, refuseTwoTimes } from './schemas/messages.ts';

const HEADER_PREFIX = 'willcall-';
const ATTRIBUTE_PREFIX = 'willcall-attribute-';
const KNOWN = 'willcall-attribute-<name>, willcall-ordering-key, willcall-delay-seconds, willcall-deliver-at';
/** A publisher's content must never run as a page of this origin, whoever opens it in a browser. */
const SANDBOX = "sandbox; default-src 'none'";

const headerFields = z
  .strictObject(
    {
      'content-type': mediaType.optional(),
      'willcall-ordering-key': orderingKey.optional(),
      'willcall-delay-seconds': wholeNumberText(0, limits.delaySecondsMax).optional(),
      'willcall-deliver-at': deliverAt.optional(),
    },
    { error: `is unknown here; known are ${KNOWN}` },
  )
  .superRefine((fields, context) => {
    refuseTwoTimes(fields['willcall-delay-seconds'], fields['willcall-deliver-at'], 'willcall-deliver-at', context);
  })
  .transform((fields) => ({
    contentType: fields['content-type'] ?? null,
    orderingKey: fields['willcall-ordering-key'] ?? null,
    delaySeconds: fields['willcall-delay-seconds'] ?? null,
    deliverAt: fields['willcall-deliver-at'] ?? null,
  }));
const attributeFields = z.object({ attributes });

/** The request as one message: its body as it stands, its content type, and what the Willcall headers say. */
export function parseRawMessage(request: FastifyRequest): NewMessage {
  const { fields, attributeEntries } = readHeaders(request.raw.rawHeaders);
  const contentType = request.headers['content-type'];
  if (contentType !== undefined) fields.set('content-type', contentType);
  const headers = parseFields(headerFields, Object.fromEntries(fields));
  const parsed = parseFields(attributeFields, { attributes: Object.fromEntries(attributeEntries) });
  return {
    ...headers,
    dedupeKey: readIdempotencyKey(request) ?? null,
    body: (request.body as Buffer | undefined) ?? Buffer.alloc(0),
    attributes: attributeEntries.size > 0 ? parsed.attributes : null,
  };
}

/** Answers with one message: its body as it stands, its own content type or none, the rest in headers. */
export function sendRawMessage(reply: FastifyReply, message: ReceivedMessage): FastifyReply {
  reply.headers({
    'content-security-policy': SANDBOX,
    'willcall-message-id': message.id,
    'willcall-sequence': message.sequence,
    'willcall-receipt': message.receipt,
    'willcall-attempt': message.attempt,
    'willcall-published-at': message.publishedAt.toISOString(),
    'willcall-visible-until': message.visibleUntil.toISOString(),
  });
  if (message.orderingKey !== null) reply.header('willcall-ordering-key', encodeURIComponent(message.orderingKey));
  for (const [name, value] of Object.entries(message.attributes ?? {})) {
    reply.header(ATTRIBUTE_PREFIX + name, encodeURIComponent(value));
  }
  if (message.contentType !== null) return reply.header('content-type', message.contentType).send(message.body);
  // Fastify gives bytes a content type of its own where there is none, but leaves streams alone.
  return reply.header('content-length', message.body.length).send(Readable.from([message.body]));
}

/** What became of the receipts that came along, in the order of the request, as a header. */
export function addOutcomes(reply: FastifyReply, acknowledged: readonly SettleResult[]): void {
  if (acknowledged.length === 0) return;
  reply.header('willcall-acknowledge-outcomes', acknowledged.map(({ outcome }) => outcome).join(', '));
}

/** The Willcall headers, each at most once; Node would join repeated ones to a value that nobody sent. */
function readHeaders(rawHeaders: readonly string[]) {
  const fields = new Map<string, string>();
  const attributeEntries = new Map<string, string>();
  for (let index = 0; index < rawHeaders.length; index += 2) {
    const header = rawHeaders[index]?.toLowerCase() ?? '';
    if (!header.startsWith(HEADER_PREFIX)) continue;
    const isAttribute = header.startsWith(ATTRIBUTE_PREFIX);
    const [target, name] = isAttribute ? [attributeEntries, header.slice(ATTRIBUTE_PREFIX.length)] : [fields, header];
    if (target.has(name)) throw refuse([{ field: header, message: 'must be sent once' }]);
    target.set(name, decodeValue(header, rawHeaders[index + 1] ?? ''));
  }
  return { fields, attributeEntries };
}

function decodeValue(header: string, value: string): string {
  try {
    if (/^[\x20-\x7e]*$/.test(value)) return decodeURIComponent(value);
  } catch {
    // Answered below, like bytes that are no ASCII.
  }
  throw refuse([{ field: header, message: 'must be percent-encoded UTF-8' }]);
}
