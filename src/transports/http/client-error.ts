// Connections whose bytes Node's HTTP parser refuses: no request comes of them, so the fault is
// written to the socket by hand, in the error shape that all requests without a route get, and the
// connection ends.

import { STATUS_CODES } from 'node:http';
import type { Socket } from 'node:net';
import { answerHeaders } from './answer-headers.ts';
import { createFault, type Fault } from './faults.ts';
import type { OpenAnswers } from './open-answers.ts';
import { renderProblem } from './problems.ts';
import { createRequestId } from './request-id.ts';

type ClientError = Error & { readonly code?: string; readonly rawPacket?: Buffer };

/** The request line of a method that Node's parser does not know. */
const REQUEST_LINE = /^[!#$%&'*+.^_`|~0-9A-Za-z-]+ [^ \r\n]+ HTTP\/1\.[01]\r?\n/;
/** What is looked at of it. */
const REQUEST_LINE_BYTES_MAX = 8 * 1024;
/** A TLS record of a handshake, version 3 (RFC 8446, section 5.1). */
const TLS_HANDSHAKE = [0x16, 0x03];

/** Answers connections whose bytes are no acceptable HTTP request, and closes them. */
export function createClientErrorHandler(openAnswers: Pick<OpenAnswers, 'isAnswering'>) {
  return (error: ClientError, socket: Socket): void => {
    // Bytes written now would be taken for the answer to an earlier request, or for a part of it.
    if (error.code === 'ECONNRESET' || openAnswers.isAnswering(socket)) socket.destroy();
    else endWith(chooseFault(error), socket);
  };
}

/** Answers that the request took too long to arrive, and ends the connection. */
export function answerTimeout(socket: Socket): void {
  endWith(createTimeout(), socket);
}

function endWith(fault: Fault, socket: Socket): void {
  if (!socket.writable) {
    socket.destroy();
    return;
  }
  const requestId = createRequestId();
  const { status, headers, body } = renderProblem(fault, requestId);
  const all = {
    ...headers,
    'content-length': Buffer.byteLength(body),
    connection: 'close',
    'x-request-id': requestId,
    ...answerHeaders,
  };
  const lines = Object.entries(all).map(([name, value]) => `${name}: ${value}\r\n`);
  socket.end(`HTTP/1.1 ${status} ${STATUS_CODES[status]}\r\n${lines.join('')}\r\n${body}`);
}

function chooseFault({ code, rawPacket }: ClientError): Fault {
  switch (code) {
    case 'HPE_HEADER_OVERFLOW':
      return createFault('headers_too_large', 'A request has at most 2000 headers, of 32 KiB together.');
    case 'ERR_HTTP_REQUEST_TIMEOUT':
      return createTimeout();
    case 'HPE_INVALID_METHOD':
      return chooseMethodFault(rawPacket);
    default:
      return createMalformed();
  }
}

function chooseMethodFault(packet: Buffer = Buffer.alloc(0)): Fault {
  if (TLS_HANDSHAKE.every((byte, index) => packet[index] === byte)) {
    return createFault(
      'malformed_request',
      'This port speaks plain HTTP, and a TLS handshake came: send http://, not https://.',
    );
  }
  if (!REQUEST_LINE.test(packet.toString('latin1', 0, REQUEST_LINE_BYTES_MAX))) return createMalformed();
  return createFault(
    'not_implemented',
    'The method is not known here; names of methods are in capitals, such as POST.',
  );
}

function createMalformed(): Fault {
  return createFault('malformed_request', 'The bytes sent are not a well-formed HTTP/1.1 request.');
}

function createTimeout(): Fault {
  return createFault('request_timeout', 'The request did not arrive whole in time: send it again.');
}
