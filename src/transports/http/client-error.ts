// Connections whose bytes Node's HTTP parser refuses: no request comes of them, so the fault is
// written to the socket by hand, in the error shape that all requests without a route get, and the
// connection ends.

import { STATUS_CODES } from 'node:http';
import type { Socket } from 'node:net';
import { answerHeaders } from './answer-headers.ts';
import { createFault, type Fault, type RenderedFault } from './faults.ts';
import type { OpenAnswers } from './open-answers.ts';
import { renderProblem } from './problems.ts';

type ClientError = Error & { readonly code?: string };

/** Answers connections whose bytes are no acceptable HTTP request, and closes them. */
export function createClientErrorHandler(openAnswers: Pick<OpenAnswers, 'isAnswering'>) {
  return (error: ClientError, socket: Socket): void => {
    // Bytes written now would be taken for the answer to an earlier request, or for a part of it.
    if (error.code === 'ECONNRESET' || openAnswers.isAnswering(socket)) socket.destroy();
    else endWith(renderProblem(chooseFault(error.code)), socket);
  };
}

/** Answers that the request took too long to arrive, and ends the connection. */
export function answerTimeout(socket: Socket): void {
  endWith(renderProblem(chooseFault('ERR_HTTP_REQUEST_TIMEOUT')), socket);
}

function endWith({ status, headers, body }: RenderedFault, socket: Socket): void {
  if (!socket.writable) {
    socket.destroy();
    return;
  }
  const all = { ...headers, 'content-length': Buffer.byteLength(body), connection: 'close', ...answerHeaders };
  const lines = Object.entries(all).map(([name, value]) => `${name}: ${value}\r\n`);
  socket.end(`HTTP/1.1 ${status} ${STATUS_CODES[status]}\r\n${lines.join('')}\r\n${body}`);
}

function chooseFault(code: string | undefined): Fault {
  switch (code) {
    case 'HPE_HEADER_OVERFLOW':
      return createFault('headers_too_large', 'The headers of a request are at most 2000 and 32 KiB together.');
    case 'ERR_HTTP_REQUEST_TIMEOUT':
      return createFault('request_timeout', 'The request did not arrive whole in time: send it again.');
    default:
      return createFault('malformed_request', 'The bytes sent are not a well-formed HTTP/1.1 request.');
  }
}
