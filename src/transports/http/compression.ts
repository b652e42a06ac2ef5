// Compression in both directions, by gzip alone, which every client has. A compressed body is
// inflated before it is read and counts inflated: one that would become larger than its limit is
// refused before it is whole. Answers are compressed where the client asks and it is worth the
// work.

import compress from '@fastify/compress';
import type { FastifyInstance } from 'fastify';
import { HttpFault } from './faults.ts';

/** Below this the headers outweigh what is saved. */
const ANSWER_BYTES_MIN = 2048;

/** Attaches to the routes of the scope that are registered after it has been loaded. */
export function addCompression(scope: FastifyInstance): void {
  scope.register(compress, {
    global: true,
    threshold: ANSWER_BYTES_MIN,
    encodings: ['gzip'],
    requestEncodings: ['gzip', 'identity'],
    // A raw message may be of any type; types that are compressed already are left alone.
    customTypes: /^(text\/|application\/(json|problem\+json|xml)|.*\+(json|xml)(;|$))/,
    onUnsupportedRequestEncoding: (encoding) =>
      new HttpFault('unsupported_media_type', `Content-Encoding ${encoding} is not known here: send gzip or none.`),
  });
}
