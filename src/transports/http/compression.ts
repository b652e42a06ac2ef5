// Compression of answers, where the client accepts it and the saving is worth the work. Streams are
// left alone, and so is every answer whose type is unknown or is compressed already.

import { gzip } from 'node:zlib';
import type { FastifyInstance, FastifyReply } from 'fastify';
import { acceptsGzip } from './codings.ts';

/** Smaller answers are mostly headers. */
const ANSWER_BYTES_MIN = 2048;
/** A raw message may be of any type. */
const COMPRESSIBLE = /^(text\/|application\/(json|xml)|[^;]+\+(json|xml)\s*(;|$))/i;

/** Adds compression to the answers of a scope. */
export function addCompression(scope: FastifyInstance): void {
  scope.addHook('onSend', (request, reply, payload, done) => {
    if (!isWorthCompressing(payload, reply)) {
      done(null, payload);
      return;
    }
    reply.header('vary', 'accept-encoding');
    if (!acceptsGzip(request.headers['accept-encoding'])) {
      done(null, payload);
      return;
    }
    gzip(payload, (error, compressed) => {
      if (error === null) {
        reply.header('content-encoding', 'gzip').header('content-length', compressed.length);
        done(null, compressed);
      } else {
        done(error);
      }
    });
  });
}

function isWorthCompressing(payload: unknown, reply: FastifyReply): payload is string | Buffer {
  const isWhole = typeof payload === 'string' || Buffer.isBuffer(payload);
  if (!isWhole || Buffer.byteLength(payload) < ANSWER_BYTES_MIN) return false;
  return COMPRESSIBLE.test(String(reply.getHeader('content-type') ?? ''));
}
