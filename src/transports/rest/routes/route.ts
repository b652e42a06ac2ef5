// Routes: each is one operation with its description beside it. It parses, makes one engine call
// and shapes the answer. A route without a description does not compile.

import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import type { z } from 'zod';
import type { Operation } from '../../../domain/access.ts';
import type { Engine } from '../../../engine/index.ts';
import type { WhenFull } from '../../http/byte-budget.ts';
import type { ProblemCode } from '../../http/problems.ts';
import type { Tag } from '../tags.ts';

export interface RouteDeps {
  readonly engine: Engine;
  readonly reference: Reference;
}

/** The description of this API, written out once at the start. */
export interface Reference {
  /** An OpenAPI document. */
  readonly json: string;
  /** The same for people. */
  readonly html: string;
  /** What a browser may do with the page: nothing but show it. */
  readonly contentSecurityPolicy: string;
}

interface RouteFields {
  readonly method: 'GET' | 'PUT' | 'POST' | 'PATCH' | 'DELETE';
  /** With parameters, as in `/v1/topics/:topic`. */
  readonly url: string;
  /** What the query string may say; where this is missing, a query is refused. */
  readonly query?: z.ZodType;
  /** Where it is not that of every request. */
  readonly bodyBytesMax?: number;
  /** What to do about a larger one, where sending less at a time would not help. */
  readonly whenTooLarge?: string;
  /** What it does when the instance holds as much as it may; where this is missing, it refuses. */
  readonly whenFull?: WhenFull;
  readonly describe: OperationDescription;
  /** What it resolves to is the answer, unless it sent one itself. */
  readonly handle: (request: FastifyRequest, reply: FastifyReply, deps: RouteDeps) => Promise<unknown>;
}

/** Open to everybody, or one of the operations of the table of access rules. */
type Guard =
  | { readonly open: true; readonly operation?: never }
  | { readonly open?: never; readonly operation: Operation };

export type Route = RouteFields & Guard;

/**
 * What the description says of an operation beyond what can be seen from its route. Texts may hold
 * `code`.
 */
export interface OperationDescription {
  /** Lasting: programs are generated with it. */
  readonly id: string;
  readonly tag: Tag;
  readonly summary: string;
  readonly description: string;
  /** The headers that are read, beyond those that every call has. */
  readonly headers?: z.ZodObject;
  readonly body?: RequestBody;
  readonly answers: Readonly<Record<number, AnswerDescription>>;
  /** Beyond those that every call has. */
  readonly problems: readonly ProblemCode[];
  /** The problems that are more than a problem document. */
  readonly detailedProblems?: Readonly<Partial<Record<ProblemCode, DetailedProblem>>>;
}

/** JSON that this schema parses, or one raw message. */
export type RequestBody = { readonly json: z.ZodType; readonly required: boolean } | { readonly bytes: BytesBody };

export interface AnswerDescription {
  readonly description: string;
  readonly headers?: z.ZodObject;
  /** Without either, the answer has no body. */
  readonly json?: z.ZodType;
  readonly bytes?: BytesBody;
}

/** A body that is not ours to describe further. */
export interface BytesBody {
  readonly mediaType: string;
  readonly example: string;
}

export interface DetailedProblem {
  readonly schema: z.ZodType;
  /** The members beyond every problem's. */
  readonly example: object;
}

/** Registers the route on the server. */
export function addRoute(app: FastifyInstance, route: Route, deps: RouteDeps): void {
  app.route({
    method: route.method,
    url: route.url,
    handler: (request, reply) => route.handle(request, reply, deps),
    ...(route.bodyBytesMax !== undefined && { bodyLimit: route.bodyBytesMax }),
    config: {
      ...(route.open ? { open: true } : { operation: route.operation }),
      ...(route.query !== undefined && { query: true }),
      ...('If-Match' in (route.describe.headers?.shape ?? {}) && { conditional: true }),
      ...(route.whenTooLarge !== undefined && { whenTooLarge: route.whenTooLarge }),
      ...(route.whenFull !== undefined && { whenFull: route.whenFull }),
    },
  });
}
