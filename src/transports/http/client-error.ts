// What Node's HTTP parser refuses never becomes a request: the problem is written to the socket by hand, and the
// connection ends.

import { STATUS_CODES } from 'node:http';
import type { Socket } from 'node:net';
import { answerHeaders, describeProblem } from '../rest/errors.ts';
import type { OpenAnswers } from './open-answers.ts';

type ClientError = Error & { readonly code?: string };

/** Answers connections whose bytes are no acceptable HTTP request, and closes them. */
export function createClientErrorHandler(openAnswers: Pick<OpenAnswers, 'isAnswering'>) {
  return (error: ClientError, socket: Socket): void => {
    // What was written now would be taken for the answer to an earlier request, or for a part of it.
    if (error.code === 'ECONNRESET' || openAnswers.isAnswering(socket)) socket.destroy();
    else endWith(chooseProblem(error.code), socket);
  };
}

/** Tells the client that its request took too long to arrive, and ends the connection. */
export function answerTimeout(socket: Socket): void {
  endWith(chooseProblem('ERR_HTTP_REQUEST_TIMEOUT'), socket);
}

function endWith(problem: ReturnType<typeof chooseProblem>, socket: Socket): void {
  if (!socket.writable) {
    socket.destroy();
    return;
  }
  const body = JSON.stringify(problem);
  const headers = {
    'content-type': 'application/problem+json; charset=utf-8',
    'content-length': Buffer.byteLength(body),
    connection: 'close',
    ...answerHeaders,
  };
  const lines = Object.entries(headers).map(([name, value]) => `${name}: ${value}\r\n`);
  socket.end(`HTTP/1.1 ${problem.status} ${STATUS_CODES[problem.status]}\r\n${lines.join('')}\r\n${body}`);
}

function chooseProblem(code: string | undefined) {
  switch (code) {
    case 'HPE_HEADER_OVERFLOW':
      return describeProblem('headers_too_large', 'The headers of a request are at most 2000 and 32 KiB together.');
    case 'ERR_HTTP_REQUEST_TIMEOUT':
      return describeProblem('request_timeout', 'The request did not arrive whole in time: send it again.');
    default:
      return describeProblem('malformed_request', 'The bytes sent are not a well-formed HTTP/1.1 request.');
  }
}
