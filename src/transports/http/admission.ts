// Admission: what is checked of every request before its body is read, in this order: framing,
// repeated headers, the key and its rate, the site of a browser's call, the right to the call, the
// query, a condition that cannot hold, and room in the byte budget. An open call is asked for no
// key, and its query is ignored: health checks and browsers add queries of their own.

import type { IncomingMessage } from 'node:http';
import type { FastifyContextConfig, FastifyReply, FastifyRequest } from 'fastify';
import { type Access, checkAccess, type Operation } from '../../domain/access.ts';
import { WillcallError } from '../../domain/errors.ts';
import type { ByteBudget } from '../../engine/fair-use/byte-budget.ts';
import type { Engine } from '../../engine/index.ts';
import { reserveBytes } from './byte-budget.ts';
import { refuseCrossSite } from './cross-site.ts';
import { refuse } from './faults.ts';
import type { FindFramingFault } from './framing.ts';
import { countCall } from './rate-limit.ts';
import { queryOf } from './requests.ts';
import type { Authentication } from './transport.ts';

export interface AdmissionDeps {
  readonly engine: Pick<Engine, 'admit'>;
  readonly byteBudget: Pick<ByteBudget, 'reserve'>;
  readonly findFramingFault: FindFramingFault;
  readonly authentication: Authentication;
}

/** Lets the request in or throws; a promise only where the database is asked for the key. */
export function admitRequest(
  request: FastifyRequest,
  reply: FastifyReply,
  deps: AdmissionDeps,
): Promise<void> | undefined {
  const { engine, byteBudget, findFramingFault, authentication } = deps;
  const fault = findFramingFault(request.raw, reply);
  if (fault !== null) throw fault;
  refuseRepeatedHeaders(request.raw);
  const { config } = request.routeOptions;
  if (config.open === true || request.is404) {
    reserveBytes(request, byteBudget);
    return undefined;
  }
  const admit = (access: Access): void => {
    countCall(reply, access, engine);
    refuseCrossSite(request.raw);
    admitCaller(request, access, config.operation);
    refuseQuery(request, config);
    refuseCondition(request, config);
    reserveBytes(request, byteBudget);
  };
  const access = authentication.authenticate(request);
  if (access instanceof Promise) return access.then(admit);
  admit(access);
  return undefined;
}

/** Throws `forbidden` for what the key does not open, whether or not the named thing exists. */
function admitCaller(request: FastifyRequest, access: Access, operation: Operation | undefined): void {
  request.access = access;
  request.caller = access.principal;
  if (operation !== undefined) checkAccess(access, operation, request.params as Record<string, string>);
}

/** A query that no code reads must not look as if it had an effect. */
function refuseQuery(request: FastifyRequest, config: FastifyContextConfig): void {
  if (config.query !== true && queryOf(request) !== '') {
    throw refuse([{ field: 'query', message: 'is not read here: leave out what follows the question mark' }]);
  }
}

/** RFC 9110, section 13.1.1: what has no entity tag matches none, so the call is not made. */
function refuseCondition({ headers }: FastifyRequest, config: FastifyContextConfig): void {
  const condition = headers['if-match'];
  if (config.conditional === true || condition === undefined || condition.trim() === '*') return;
  throw new WillcallError('precondition_failed', 'Nothing here has an entity tag: send this call without If-Match.');
}

/** Node keeps the first and drops the rest; which one a proxy on the way believed is unknown. */
const singleHeaders = ['host', 'content-type', 'authorization'];

function refuseRepeatedHeaders({ rawHeaders, httpVersion }: IncomingMessage): void {
  const seen = new Set<string>();
  for (let index = 0; index < rawHeaders.length; index += 2) {
    const header = rawHeaders[index]?.toLowerCase() ?? '';
    if (!singleHeaders.includes(header)) continue;
    if (seen.has(header)) throw refuse([{ field: header, message: 'must be sent once' }]);
    seen.add(header);
  }
  // RFC 9112, section 3.2.
  if (!seen.has('host') && httpVersion !== '1.0') throw refuse([{ field: 'host', message: 'must be sent' }]);
}
