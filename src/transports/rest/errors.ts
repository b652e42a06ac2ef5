// Every fault as an RFC 9457 problem: a stable code, its status and title in one table, and a detail for people. A new
// code of the domain does not compile until it has its row here. What is not a known fault becomes `internal`, is logged
// with its cause, and tells the caller nothing of the inside.

import { finished } from 'node:stream/promises';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { type ErrorCode, type FieldError, WillcallError } from '../../domain/errors.ts';
import type { Logger } from '../../domain/logger.ts';
import { writeSentence } from './sentences.ts';

/** Faults of HTTP itself, which no other door has. */
export type DoorCode =
  | 'not_found'
  | 'method_not_allowed'
  | 'payload_too_large'
  | 'unsupported_media_type'
  | 'malformed_request'
  | 'cross_site'
  | 'headers_too_large'
  | 'request_timeout';

/** Outcomes that are values in the engine, and problems of this API. */
export type OutcomeCode = 'nothing_settled' | 'atomic_refused';

interface ProblemKind {
  readonly status: number;
  readonly title: string;
}

const problems = {
  invalid_request: { status: 400, title: 'The request is not valid' },
  malformed_request: { status: 400, title: 'The request is not well-formed HTTP' },
  unauthenticated: { status: 401, title: 'A valid key is needed' },
  forbidden: { status: 403, title: 'The key does not open this' },
  cross_site: { status: 403, title: 'A page of another site made this call' },
  not_found: { status: 404, title: 'There is nothing at this path' },
  topic_not_found: { status: 404, title: 'There is no such topic' },
  subscription_not_found: { status: 404, title: 'There is no such subscription' },
  key_not_found: { status: 404, title: 'There is no such key' },
  method_not_allowed: { status: 405, title: 'This path does not know the method' },
  request_timeout: { status: 408, title: 'The request took too long to arrive' },
  topic_conflict: { status: 409, title: 'The topic exists with other settings' },
  subscription_conflict: { status: 409, title: 'The subscription exists with other settings' },
  idempotency_conflict: { status: 409, title: 'The key was used for something else' },
  nothing_settled: { status: 409, title: 'None of the receipts was settled' },
  atomic_refused: { status: 409, title: 'The atomic call was refused as a whole' },
  rate_limited: { status: 429, title: 'The key calls too often' },
  too_many_receives: { status: 429, title: 'The key has too many receives waiting' },
  backlog_full: { status: 429, title: 'A subscription is too far behind' },
  too_much_traffic: { status: 429, title: 'The key holds too much at once' },
  message_too_large: { status: 413, title: 'A message is too large' },
  payload_too_large: { status: 413, title: 'The request is too large' },
  unsupported_media_type: { status: 415, title: 'The content type is not supported' },
  headers_too_large: { status: 431, title: 'The request headers are too large' },
  internal: { status: 500, title: 'Something went wrong inside' },
  overloaded: { status: 503, title: 'The service is overloaded' },
  shutting_down: { status: 503, title: 'The service is shutting down' },
  database_unavailable: { status: 503, title: 'The database is not available' },
  database_timeout: { status: 503, title: 'The database took too long' },
} as const satisfies Record<ErrorCode | DoorCode | OutcomeCode, ProblemKind>;

export type ProblemCode = keyof typeof problems;
export const problemCodes = Object.keys(problems) as ProblemCode[];

/**
 * Said of every answer: queues are never cached, nobody guesses what a body might be, no browser runs or frames one or tells
 * where it came from (docs/security.md), and no proxy collects an answer for a client that may be gone (docs/proxies.md).
 */
export const answerHeaders = {
  'cache-control': 'no-store',
  'x-content-type-options': 'nosniff',
  'content-security-policy': "default-src 'none'; frame-ancestors 'none'",
  'referrer-policy': 'no-referrer',
  'x-accel-buffering': 'no',
} as const;

const PROBLEM_TYPE = 'application/problem+json; charset=utf-8';
/** Of what does not know better. */
const RETRY_AFTER_SECONDS = 1;
/** A client that is still sending reads the answer only if its connection is not cut meanwhile. */
const LINGER_MS = 2000;

/** A fault of HTTP itself; thrown by this door alone. */
export class DoorError extends Error {
  readonly code: DoorCode;

  constructor(code: DoorCode, message: string) {
    super(message);
    this.name = 'DoorError';
    this.code = code;
  }
}

/** The problem document; `extension` adds members of the code's own, such as `results`. */
export function describeProblem(code: ProblemCode, detail: string, extension: object = {}) {
  const { status, title } = problems[code];
  return { type: `urn:willcall:problem:${code}`, title, status, detail, code, ...extension };
}

/** Answers with a problem document; where trying again may help, with the time to do so. */
export function sendProblem(reply: FastifyReply, code: ProblemCode, detail: string, extension?: object): FastifyReply {
  const problem = describeProblem(code, detail, extension);
  const mayPass = problem.status === 429 || problem.status === 503;
  if (mayPass && !reply.hasHeader('retry-after')) reply.header('retry-after', RETRY_AFTER_SECONDS);
  return reply.code(problem.status).header('content-type', PROBLEM_TYPE).send(JSON.stringify(problem));
}

/** Turns whatever was thrown into an answer. */
export function createErrorHandler(logger: Logger) {
  return async (error: unknown, request: FastifyRequest, reply: FastifyReply): Promise<FastifyReply> => {
    const { code, detail, fields } = readFault(error);
    if (code === 'internal' && !isHangUp(error, request)) {
      logger.error({ ...describeRequest(request), err: error }, 'a request failed');
    }
    // A body that is not read to its end ends the connection.
    if (reply.getHeader('connection') === 'close' && !request.raw.complete) await readToEnd(request);
    if (error instanceof WillcallError && error.retryAfterSeconds !== null) {
      reply.header('retry-after', error.retryAfterSeconds);
    }
    return sendProblem(reply, code, detail, fields.length > 0 ? { errors: fields } : {});
  };
}

/** What a log line may say of a request: nothing that a client sent, but whose key it was. */
export function describeRequest({ method, routeOptions, access }: FastifyRequest) {
  return { method, route: routeOptions.url, principal: access?.principal, keyId: access?.keyId };
}

/** Work that was given up because nobody is there to be answered any more. */
function isHangUp(error: unknown, request: FastifyRequest): boolean {
  return request.raw.socket.destroyed && error instanceof Error && error.name === 'AbortError';
}

interface Fault {
  readonly code: ProblemCode;
  readonly detail: string;
  readonly fields: readonly FieldError[];
}

function readFault(error: unknown): Fault {
  if (error instanceof WillcallError && error.code !== 'internal') {
    return { code: error.code, ...writeSentence(error) };
  }
  if (error instanceof DoorError) return { code: error.code, detail: error.message, fields: [] };
  return { ...readFrameworkFault(error), fields: [] };
}

function readFrameworkFault(error: unknown): Omit<Fault, 'fields'> {
  // What @fastify/compress adds to the fault of a body that it could not inflate.
  if (error instanceof Error && 'decompressError' in error) {
    return { code: 'malformed_request', detail: 'The body is not the whole gzip that its Content-Encoding announces.' };
  }
  switch ((error as { code?: unknown } | null)?.code) {
    case 'FST_ERR_CTP_INVALID_MEDIA_TYPE':
      return {
        code: 'unsupported_media_type',
        detail: 'The Content-Type header is not a media type such as application/json or text/xml; charset=utf-8.',
      };
    case 'ECONNRESET':
      return { code: 'malformed_request', detail: 'The body ended before the length that was announced.' };
    case 'FST_ERR_BAD_URL':
      return { code: 'invalid_request', detail: 'The path is not valid percent-encoded UTF-8.' };
    case 'FST_ERR_MAX_PARAM_LENGTH':
      return { code: 'invalid_request', detail: 'A part of the path is too long: names have at most 128 characters.' };
    default:
      return { code: 'internal', detail: 'The request failed inside the service, which has logged why.' };
  }
}

async function readToEnd(request: FastifyRequest): Promise<void> {
  request.raw.resume();
  await finished(request.raw, { signal: AbortSignal.timeout(LINGER_MS), cleanup: true }).catch(() => undefined);
}
