// The request log: one line at debug for each request, once its answer has been written out or its
// client has gone. It names what the request was about and who made it, and nothing secret.

import type { FastifyReply, FastifyRequest } from 'fastify';
import { isKeyId, readKey } from '../../domain/api-key.ts';
import { limits } from '../../domain/limits.ts';
import type { Logger } from '../../domain/logger.ts';
import type { FaultCode } from './faults.ts';

declare module 'fastify' {
  interface FastifyRequest {
    /** The code of the fault in the answer; null for another answer. */
    faultCode: FaultCode | null;
    /**
     * The id of the key that was presented, whether or not it is good; null where none was read.
     */
    presentedKeyId: string | null;
  }
}

/** `isLost`: the connection ended before the last byte of the answer was written. */
export function logRequest(logger: Logger, reply: FastifyReply, isLost: boolean): void {
  if (logger.isLevelEnabled?.('debug') === false) return;
  const { request } = reply;
  const length = reply.getHeader('content-length');
  logger.debug(
    {
      ...describeRequest(request),
      status: isLost ? undefined : reply.statusCode,
      code: request.faultCode ?? undefined,
      ms: Math.round((request.answer?.seconds ?? 0) * 1_000_000) / 1000,
      bytes: length === undefined ? undefined : Number(length),
      requestBytes: Number(request.headers['content-length'] ?? 0),
      peer: request.raw.socket.remoteAddress,
    },
    isLost ? 'the client went away before its answer' : 'answered a request',
  );
}

/** What every log line about a request has. */
export function describeRequest({ id, method, routeOptions, params, access, presentedKeyId }: FastifyRequest) {
  const { topic, subscription, key } = (params ?? {}) as Partial<Record<string, string>>;
  return {
    requestId: id,
    method,
    route: routeOptions.url,
    operation: routeOptions.config?.operation,
    topic: nameOrNothing(topic),
    subscription: nameOrNothing(subscription),
    // A whole key may stand where its id belongs.
    key: key !== undefined && isKeyId(key) ? key : undefined,
    principal: access?.principal,
    keyId: access?.keyId ?? presentedKeyId ?? undefined,
  };
}

/** Other text of a client is kept out of the log. */
function nameOrNothing(name: string | undefined): string | undefined {
  return name !== undefined && limits.namePattern.test(name) && !holdsKey(name) ? name : undefined;
}

/** Whether a whole key was sent where a name belongs. */
export function holdsKey(text: string): boolean {
  return readKey({ id: null, secret: text }) !== null;
}
