// Request ids: a client's own X-Request-Id where it is sane, else one that is made here. The id
// stands in the answer, in problem documents and in the log, so that each can be found by the
// other.

import { randomUUID } from 'node:crypto';
import type { IncomingMessage } from 'node:http';
import { holdsKey } from './request-log.ts';

/** Printable, and nothing that could end a log line, a header or a quotation. */
const SANE = /^[A-Za-z0-9._:/+=@-]{1,128}$/;

export function createRequestId(): string {
  return randomUUID();
}

/** The id of a request; a repeated or odd header counts as none. */
export function readRequestId({ headers }: Pick<IncomingMessage, 'headers'>): string {
  const sent = headers['x-request-id'];
  return typeof sent === 'string' && SANE.test(sent) && !holdsKey(sent) ? sent : createRequestId();
}
