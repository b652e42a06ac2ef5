// Requests read strictly, by zod schemas: what is unknown, malformed or out of bounds refuses the
// request as a whole, with the field named, before any verb runs.

import { isUtf8 } from 'node:buffer';
import type { FastifyRequest } from 'fastify';
import type { z } from 'zod';
import type { FieldError } from '../../domain/errors.ts';
import { HttpFault, refuse } from './faults.ts';
import { describePath, shorten } from './field-paths.ts';
import { findShapeFault } from './json-shape.ts';

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
  throw refuse(result.error.issues.slice(0, FIELD_ERRORS_MAX).flatMap(describeIssue).slice(0, FIELD_ERRORS_MAX));
}

function describeIssue(issue: z.core.$ZodIssue): FieldError[] {
  if (issue.code === 'unrecognized_keys') {
    return issue.keys
      .slice(0, FIELD_ERRORS_MAX)
      .map((key) => ({ field: describePath([...issue.path, key]), message: issue.message }));
  }
  return [{ field: describePath(issue.path), message: issue.message }];
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
  const fault = findShapeFault(body);
  if (fault !== null) throw refuse([{ field: 'request', message: fault }]);
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

/** As in application/x-www-form-urlencoded: a plus sign is a space. */
function decodeForm(text: string): string {
  try {
    return decodeURIComponent(text.replaceAll('+', ' '));
  } catch {
    throw refuse([{ field: shorten(text), message: 'must be percent-encoded UTF-8' }]);
  }
}
