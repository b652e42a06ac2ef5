// Requests read strictly, by zod schemas: what is unknown, malformed or out of bounds refuses the
// request as a whole, with the field named, before any verb runs.

import { isUtf8 } from 'node:buffer';
import type { FastifyRequest } from 'fastify';
import type { z } from 'zod';
import type { FieldError } from '../../domain/errors.ts';
import { HttpFault, refuse } from './faults.ts';
import { describePath, shorten } from './field-paths.ts';
import { findRepeatedField } from './json-fields.ts';
import { scanShape } from './json-shape.ts';

/** More than these are counted, not listed. */
const FIELD_ERRORS_MAX = 20;
const BYTE_ORDER_MARK = 0xfeff;

/** The JSON body, checked; a request without one counts as `{}`. */
export function parseBody<Schema extends z.ZodType>(request: FastifyRequest, schema: Schema): z.output<Schema> {
  return parseFields(schema, readJson(request));
}

/** The query string, checked; every parameter is a string and is given at most once. */
export function parseQuery<Schema extends z.ZodType>(request: FastifyRequest, schema: Schema): z.output<Schema> {
  const parameters = new Map<string, string>();
  for (const pair of queryOf(request).split('&')) {
    if (pair === '') continue;
    const equals = pair.indexOf('=');
    const field = decodeForm(equals === -1 ? pair : pair.slice(0, equals));
    if (parameters.has(field)) throw refuse([{ field: shorten(field), message: 'must be given once' }]);
    parameters.set(field, equals === -1 ? '' : decodeForm(pair.slice(equals + 1)));
  }
  return parseFields(schema, Object.fromEntries(parameters));
}

/** The part after the question mark; empty when there is none. */
export function queryOf(request: FastifyRequest): string {
  const mark = request.url.indexOf('?');
  return mark === -1 ? '' : request.url.slice(mark + 1);
}

/** A value that was read out of a request, checked. */
export function parseFields<Schema extends z.ZodType>(schema: Schema, value: unknown): z.output<Schema> {
  const result = schema.safeParse(value);
  if (result.success) return result.data;
  throw refuse(describeIssues(result.error.issues));
}

/** Unknown fields first: they are the reason why others seem to be missing. Each is said once. */
function describeIssues(issues: readonly z.core.$ZodIssue[]): FieldError[] {
  const first = issues.slice(0, FIELD_ERRORS_MAX);
  const unknown = first.filter(({ code }) => code === 'unrecognized_keys');
  const others = first.filter(({ code }) => code !== 'unrecognized_keys');
  const fields = new Map<string, FieldError>();
  for (const each of [...unknown, ...others].flatMap(describeIssue)) fields.set(JSON.stringify(each), each);
  return [...fields.values()].slice(0, FIELD_ERRORS_MAX);
}

/** Of unknown fields, the message has a line for each. */
function describeIssue(issue: z.core.$ZodIssue): FieldError[] {
  if (issue.code !== 'unrecognized_keys') return [{ field: describePath(issue.path), message: issue.message }];
  const messages = issue.message.split('\n');
  return issue.keys.slice(0, FIELD_ERRORS_MAX).map((key, index) => ({
    field: describePath([...issue.path, key]),
    message: messages[index] ?? issue.message,
  }));
}

function readJson(request: FastifyRequest): unknown {
  const body = request.body as Buffer | undefined;
  if (body === undefined || body.length === 0) return {};
  // A call may wait for half a minute, without its text.
  request.body = undefined;
  if (request.mediaType !== 'application/json') {
    throw new HttpFault(
      'unsupported_media_type',
      'The body here is JSON: send it with "Content-Type: application/json".',
    );
  }
  if (!isUtf8(body)) throw refuse([{ field: 'request', message: 'must be UTF-8; send other bytes as base64' }]);
  refuseOtherCharsets(request);
  const { fault, fields } = scanShape(body);
  if (fault !== null) throw refuse([{ field: 'request', message: fault }]);
  const value = parseJson(body);
  const repeated = findRepeatedField(body, fields, value);
  if (repeated !== null) throw refuse([{ field: describePath(repeated), message: 'must be given once' }]);
  return value;
}

function parseJson(body: Buffer): unknown {
  const text = body.toString('utf8');
  try {
    return JSON.parse(text.charCodeAt(0) === BYTE_ORDER_MARK ? text.slice(1) : text);
  } catch (error) {
    const position = error instanceof Error ? /position \d+/.exec(error.message)?.[0] : undefined;
    throw refuse([
      { field: 'request', message: `must be valid JSON${position === undefined ? '' : `; it breaks at ${position}`}` },
    ]);
  }
}

/** JSON is UTF-8 (RFC 8259, section 8.1); what is said to be anything else is not read as that. */
function refuseOtherCharsets({ headers }: FastifyRequest): void {
  const charset = /;\s*charset\s*=\s*"?([^";\s]*)/i.exec(headers['content-type'] ?? '')?.[1]?.toLowerCase();
  if (charset === undefined || charset === 'utf-8' || charset === 'utf8') return;
  throw new HttpFault(
    'unsupported_media_type',
    'JSON is UTF-8 here: send it without a charset, or with charset=utf-8.',
  );
}

/** As in application/x-www-form-urlencoded: a plus sign is a space. */
function decodeForm(text: string): string {
  try {
    return decodeURIComponent(text.replaceAll('+', ' '));
  } catch {
    throw refuse([{ field: shorten(text), message: 'must be percent-encoded UTF-8' }]);
  }
}
