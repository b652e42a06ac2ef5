// Raw messages: one message as one HTTP body, for clients that would rather not wrap it in JSON.
// Everything that is not the body travels in headers, percent-encoded where it may be any text.

import { Readable } from 'node:stream';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { z } from 'zod';
import type { NewMessage, ReceivedMessage } from '../../domain/message.ts';
import type { SettleResult } from '../../domain/settling.ts';
import { refuse } from '../http/faults.ts';
import { parseFields } from '../http/requests.ts';
import { readIdempotencyKey } from './requests.ts';
import { attributes } from './schemas/messages.ts';
import { publishRawHeaders, type receivedRawHeaders } from './schemas/raw-headers.ts';

const HEADER_PREFIX = 'willcall-';
const ATTRIBUTE_PREFIX = 'willcall-attribute-';
/** All attributes as in a form: some proxies drop headers whose names have `_` or `.` in them. */
const ALL_ATTRIBUTES = 'willcall-attributes';
/** A publisher's content must never run as a page of this origin when it is opened in a browser. */
const SANDBOX = "sandbox; default-src 'none'; frame-ancestors 'none'";

const attributeFields = z.object({ attributes });

/**
 * The request as one message: its body unchanged, its content type, and what the Willcall
 * headers say.
 */
export function parseRawMessage(request: FastifyRequest): NewMessage {
  const { fields, attributeEntries } = readHeaders(request.raw.rawHeaders);
  const contentType = request.headers['content-type'];
  if (contentType !== undefined) fields.set('content-type', contentType);
  addFormAttributes(fields.get(ALL_ATTRIBUTES), attributeEntries);
  fields.delete(ALL_ATTRIBUTES);
  const headers = parseFields(publishRawHeaders, Object.fromEntries(fields));
  const parsed = parseFields(attributeFields, { attributes: Object.fromEntries(attributeEntries) });
  return {
    ...headers,
    dedupeKey: readIdempotencyKey(request) ?? null,
    body: (request.body as Buffer | undefined) ?? Buffer.alloc(0),
    attributes: attributeEntries.size > 0 ? parsed.attributes : null,
  };
}

/**
 * Answers with one message: its body unchanged, its own content type or none, the rest in
 * headers; the attributes in one, or in one each.
 */
export function sendRawMessage(
  reply: FastifyReply,
  message: ReceivedMessage,
  attributesInOneHeader: boolean,
): FastifyReply {
  reply.headers({
    'Content-Security-Policy': SANDBOX,
    'Willcall-Message-Id': message.id,
    'Willcall-Sequence': message.sequence,
    'Willcall-Receipt': message.receipt,
    'Willcall-Attempt': message.attempt,
    'Willcall-Published-At': message.publishedAt.toISOString(),
    'Willcall-Visible-Until': message.visibleUntil.toISOString(),
    ...(message.orderingKey !== null && { 'Willcall-Ordering-Key': encodeURIComponent(message.orderingKey) }),
  } satisfies z.input<typeof receivedRawHeaders>);
  const entries = Object.entries(message.attributes ?? {});
  if (attributesInOneHeader) {
    const form = entries.map(([name, value]) => `${name}=${encodeURIComponent(value)}`);
    if (form.length > 0) reply.header(ALL_ATTRIBUTES, form.join('&'));
  } else {
    for (const [name, value] of entries) reply.header(ATTRIBUTE_PREFIX + name, encodeURIComponent(value));
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

/**
 * The Willcall headers, each at most once; Node would join repeated ones into a value of its own.
 */
function readHeaders(rawHeaders: readonly string[]) {
  const fields = new Map<string, string>();
  const attributeEntries = new Map<string, string>();
  for (let index = 0; index < rawHeaders.length; index += 2) {
    const header = rawHeaders[index]?.toLowerCase() ?? '';
    if (!header.startsWith(HEADER_PREFIX)) continue;
    const isAttribute = header.startsWith(ATTRIBUTE_PREFIX);
    const [target, name] = isAttribute ? [attributeEntries, header.slice(ATTRIBUTE_PREFIX.length)] : [fields, header];
    if (target.has(name)) throw refuse([{ field: header, message: 'must be sent once' }]);
    const value = rawHeaders[index + 1] ?? '';
    // A form is decoded part by part.
    target.set(name, name === ALL_ATTRIBUTES ? value : decodeValue(header, value));
  }
  return { fields, attributeEntries };
}

/** Adds the attributes of a form; a plus sign is a space, as in every form. */
function addFormAttributes(form: string | undefined, entries: Map<string, string>): void {
  for (const pair of (form ?? '').split('&')) {
    if (pair === '') continue;
    const [name = '', ...rest] = pair.split('=');
    const decode = (part: string) => decodeValue(ALL_ATTRIBUTES, part.replaceAll('+', ' '));
    const key = decode(name);
    if (entries.has(key)) throw refuse([{ field: `attributes.${key}`, message: 'must be given once' }]);
    entries.set(key, decode(rest.join('=')));
  }
}

function decodeValue(header: string, value: string): string {
  try {
    if (/^[\x20-\x7e]*$/.test(value)) return decodeURIComponent(value);
  } catch {
    // Answered below, like bytes that are no ASCII.
  }
  throw refuse([{ field: header, message: 'must be percent-encoded UTF-8' }]);
}
