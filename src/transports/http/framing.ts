// Message framing: where a request ends and the next one begins must be the same for every program
// on the way, or one request can be hidden in another (request smuggling). Node's parser refuses
// most of what could be read in two ways; the rest is refused here.

import type { IncomingMessage } from 'node:http';
import type { Socket } from 'node:net';
import type { FastifyReply } from 'fastify';
import { HttpFault } from './faults.ts';

/**
 * Finds what makes a request ambiguous: `malformed_request`, for the caller to throw, or null. Its
 * connection ends with the answer.
 */
export type FindFramingFault = (request: IncomingMessage, reply: FastifyReply) => HttpFault | null;

export function createFramingCheck(): FindFramingFault {
  /**
   * Connections that end with the answer to come: what still arrives may be part of the bad
   * request.
   */
  const ending = new WeakSet<Socket>();
  return function findFramingFault(request, reply) {
    const { httpVersion, headers, socket } = request;
    const encoding = headers['transfer-encoding'];
    const plain = httpVersion === '1.1' && (encoding === undefined || encoding === 'chunked');
    if (plain && !ending.has(socket)) return null;
    const fault = ending.has(socket) ? 'The request before it was malformed.' : findFault(httpVersion, encoding);
    if (fault === null) return null;
    ending.add(socket);
    reply.header('connection', 'close');
    return new HttpFault('malformed_request', fault);
  };
}

function findFault(httpVersion: string, encoding: string | undefined): string | null {
  // Node takes a request line without a version, and one of HTTP/2.0, for HTTP/1.
  if (httpVersion !== '1.1' && httpVersion !== '1.0') return 'A request here is of HTTP/1.1, or of HTTP/1.0.';
  if (encoding === undefined) return null;
  // RFC 9112, section 6.1.
  if (httpVersion === '1.0') return 'HTTP/1.0 has no Transfer-Encoding.';
  return encoding.toLowerCase() === 'chunked' ? null : 'The only Transfer-Encoding here is chunked.';
}
