// Compression, both ways, by gzip alone, which every client can. What arrives compressed is inflated before it is read
// and counts inflated: a body that would become larger than its limit is refused before it is whole. Answers are
// compressed where the client asks and it is worth the work.

import compress from '@fastify/compress';
import type { FastifyInstance } from 'fastify';
import { DoorError } from '../rest/errors.ts';

/** Below this the headers outweigh what is saved. */
const ANSWER_BYTES_MIN = 2048;

/** Attaches to the routes that are made after it. */
export function addCompression(app: FastifyInstance): void {
  app.register(compress, {
    global: true,
    threshold: ANSWER_BYTES_MIN,
    encodings: ['gzip'],
    requestEncodings: ['gzip', 'identity'],
    // A raw message may be of any type; those that are compressed already are left alone.
    customTypes: /^(text\/|application\/(json|problem\+json|xml)|.*\+(json|xml)(;|$))/,
    onUnsupportedRequestEncoding: (encoding) =>
      new DoorError('unsupported_media_type', `Content-Encoding ${encoding} is not known here: send gzip or none.`),
  });
}
