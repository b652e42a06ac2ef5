// The error handler of a scope: whatever was thrown, in the error shape of its transport.

import { finished } from 'node:stream/promises';
import type { FastifyReply, FastifyRequest } from 'fastify';
import type { Logger } from '../../domain/logger.ts';
import { HttpFault, type RenderedFault, type RenderFault, readFault } from './faults.ts';
import { describeRequest, logRequest } from './request-log.ts';

/** A client that is still sending reads the answer only if its connection is not cut meanwhile. */
const LINGER_MS = 2000;

export function createErrorHandler(renderFault: RenderFault, logger: Logger) {
  return async function handleError(
    error: unknown,
    request: FastifyRequest,
    reply: FastifyReply,
  ): Promise<FastifyReply> {
    const fault = readFault(error);
    if (fault.code === 'internal' && !isAbortedWork(error, request)) {
      logger.error({ ...describeRequest(request), err: error }, 'a request failed');
    }
    // A body that is not read to its end ends the connection.
    if (reply.getHeader('connection') === 'close' && !request.raw.complete) await readToEnd(request);
    if (error instanceof HttpFault) reply.headers(error.headers);
    request.faultCode = fault.code;
    // What is refused before it is counted has no other line.
    if (request.answer === null) reply.raw.once('finish', () => logRequest(logger, reply, false));
    return sendFault(reply, renderFault(fault, request.id));
  };
}

/** Answers with a rendered fault. */
export function sendFault(reply: FastifyReply, { status, headers, body }: RenderedFault): FastifyReply {
  return reply.code(status).headers(headers).send(body);
}

/** Work that was given up because the client has gone. */
function isAbortedWork(error: unknown, request: FastifyRequest): boolean {
  return request.raw.socket.destroyed && error instanceof Error && error.name === 'AbortError';
}

async function readToEnd(request: FastifyRequest): Promise<void> {
  request.raw.resume();
  await finished(request.raw, { signal: AbortSignal.timeout(LINGER_MS), cleanup: true }).catch(() => undefined);
}
