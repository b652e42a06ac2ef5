// Where a request ends, and the next one begins, must be the same for everybody on the way, or one can be hidden in another.
// Node's parser refuses most of what could be read in two ways; this is the rest of it.

import type { IncomingMessage } from 'node:http';
import type { Socket } from 'node:net';
import type { FastifyReply } from 'fastify';
import { DoorError } from '../rest/errors.ts';

/** Connections that end with the answer they are owed: what still arrives there may be a part of the request before. */
const ending = new WeakSet<Socket>();

/** Where others might see another request than Node does: `malformed_request`, to be thrown; the connection ends with it. */
export function findFramingFault(request: IncomingMessage, reply: FastifyReply): DoorError | null {
  const { httpVersion, headers, socket } = request;
  const encoding = headers['transfer-encoding'];
  const plain = httpVersion === '1.1' && (encoding === undefined || encoding === 'chunked');
  if (plain && !ending.has(socket)) return null;
  const fault = ending.has(socket) ? 'The request before it was malformed.' : findFault(httpVersion, encoding);
  if (fault === null) return null;
  ending.add(socket);
  reply.header('connection', 'close');
  return new DoorError('malformed_request', fault);
}

function findFault(httpVersion: string, encoding: string | undefined): string | null {
  // Node takes a request line without a version, and one of HTTP/2.0, for HTTP/1.
  if (httpVersion !== '1.1' && httpVersion !== '1.0') return 'A request here is of HTTP/1.1, or of HTTP/1.0.';
  if (encoding === undefined) return null;
  // RFC 9112, section 6.1.
  if (httpVersion === '1.0') return 'HTTP/1.0 has no Transfer-Encoding.';
  return encoding.toLowerCase() === 'chunked' ? null : 'The only Transfer-Encoding here is chunked.';
}
