// Problem documents (RFC 9457): the error shape of a transport that brings none of its own. One
// table holds everything about a code: its status and title for answers, when it comes and an
// example for the description. A new code of the domain does not compile until it has its row here.

import type { FastifyReply } from 'fastify';
import type { Fault, FaultCode, RenderedFault } from './faults.ts';

/** Outcomes that are values in the engine, and problems in answers. */
export type OutcomeCode = 'nothing_settled' | 'atomic_refused';

export interface ProblemKind {
  readonly status: number;
  readonly title: string;
  /** When an answer has it, for the description. Texts may hold `code`. */
  readonly when: string;
  /** A detail as it might stand in an answer. */
  readonly detail: string;
  /** Members beyond every problem's. */
  readonly extension?: object;
}

export const problems = {
  invalid_request: {
    status: 400,
    title: 'The request is not valid',
    when: 'a field, a name, a header or the JSON is not valid; `errors` names it',
    detail: 'max_messages must be a whole number from 1 to 1000.',
    extension: { errors: [{ field: 'max_messages', message: 'must be a whole number from 1 to 1000' }] },
  },
  malformed_request: {
    status: 400,
    title: 'The request is not well-formed HTTP',
    when: 'the request is not well-formed HTTP, or its body ended early',
    detail: 'The body ended before the length that was announced.',
  },
  malformed_body: {
    status: 400,
    title: 'The body cannot be inflated',
    when: 'the body is not the gzip that its `Content-Encoding` announces',
    detail: 'The body is not the whole gzip that its Content-Encoding announces.',
  },
  unauthenticated: {
    status: 401,
    title: 'A valid key is needed',
    when: 'the key is missing, wrong, expired or revoked',
    detail: 'The key is not good here: it is wrong, expired or revoked.',
  },
  forbidden: {
    status: 403,
    title: 'The key does not open this',
    when: 'the key does not allow the call on this name, whether or not it exists',
    detail: 'The key does not open this: it needs a role that allows the call, on names that include this one.',
  },
  cross_site: {
    status: 403,
    title: 'A page of another site made this call',
    when: 'a page of another site caused the call in a browser; nothing was done',
    detail: 'A page of another site made this call in a browser: nothing was done.',
  },
  not_found: {
    status: 404,
    title: 'There is nothing at this path',
    when: 'the path does not exist',
    detail: 'There is nothing at this path: check its spelling and the version, /v1.',
  },
  topic_not_found: {
    status: 404,
    title: 'There is no such topic',
    when: 'no topic has the name, or it was deleted',
    detail: 'There is no topic named payments.',
  },
  subscription_not_found: {
    status: 404,
    title: 'There is no such subscription',
    when: 'no subscription has the name, or it was deleted',
    detail: 'There is no subscription named acme-erp.',
  },
  key_not_found: {
    status: 404,
    title: 'There is no such key',
    when: 'no key has the id',
    detail: 'There is no key with this id; a list of the keys shows their ids.',
  },
  ledger_not_found: {
    status: 404,
    title: 'There is no such ledger',
    when: 'no subscription, living or deleted, has the id',
    detail: 'There is no ledger with the id sub_7a6b5c4d3e2f41089b8a7c6d5e4f3021.',
  },
  method_not_allowed: {
    status: 405,
    title: 'This path does not know the method',
    when: 'the path exists, the method does not; see `Allow`',
    detail: 'PUT is not done here: use GET, HEAD.',
  },
  request_timeout: {
    status: 408,
    title: 'The request took too long to arrive',
    when: 'the request did not arrive in time',
    detail: 'The request did not arrive whole in time: send it again.',
  },
  topic_conflict: {
    status: 409,
    title: 'The topic exists with other settings',
    when: 'it exists with other settings',
    detail: 'There is a topic payments with other settings (retention_seconds); change it with PATCH.',
  },
  subscription_conflict: {
    status: 409,
    title: 'The subscription exists with other settings',
    when: 'it exists with other settings',
    detail: 'There is a subscription acme-erp with other settings (max_attempts); change what can be with PATCH.',
  },
  idempotency_conflict: {
    status: 409,
    title: 'The key was used for something else',
    when: 'a dedupe key was used for another body; `errors` names the messages',
    detail: 'A dedupe key names one body: use a new key for a new message; nothing was published.',
    extension: {
      errors: [{ field: 'messages[0].dedupe_key', message: 'was used for another body: "ping-2026-03-17"' }],
    },
  },
  ledger_replaced: {
    status: 410,
    title: 'The name means another ledger now',
    when:
      'the subscription was deleted and created again, and the cursor, or the plain number, is not surely of the ' +
      'ledger that the name means now',
    detail:
      'The name acme-erp has had more than one ledger, and means another one now than the cursor is of: read that one on ' +
      'at /v1/ledgers/sub_7a6b5c4d3e2f41089b8a7c6d5e4f3021/….',
  },
  nothing_settled: {
    status: 409,
    title: 'None of the receipts was settled',
    when: 'none of the receipts is ok; `results` gives the reasons',
    detail: 'None of the receipts was settled: see the outcome of each.',
  },
  atomic_refused: {
    status: 409,
    title: 'The atomic call was refused as a whole',
    when: 'a receipt of an atomic call is not ok, so nothing was done; see `results`',
    detail: '1 of 2 receipts are not good, so none was settled: repeat the call without them.',
  },
  rate_limited: {
    status: 429,
    title: 'The key calls too often',
    when: 'the key calls more often than its rate allows; nothing was done',
    detail: 'The key has made 2000 calls faster than it may: make the next one in 1 s.',
  },
  too_many_receives: {
    status: 429,
    title: 'The key has too many receives waiting',
    when: 'the key has as many receives waiting as it may have; nothing was settled or delivered',
    detail: 'The key has 1000 receives waiting, as many as it may: wait for one of them.',
  },
  backlog_full: {
    status: 429,
    title: 'A subscription is too far behind',
    when: 'the backlog of a subscription would exceed `max_backlog` of the topic; nothing was published',
    detail:
      'payments is full: one of its subscriptions would be further behind than it may (max_backlog); nothing was published.',
  },
  too_much_traffic: {
    status: 429,
    title: 'The key holds too much at once',
    when: 'requests and unread answers of the key use more memory than its share; nothing was done',
    detail: 'The calls of this key hold too much at once: read the answers, and send less at the same time.',
  },
  message_too_large: {
    status: 413,
    title: 'A message is too large',
    when: 'the body of a message is larger than `max_message_bytes` of the topic',
    detail: 'payments takes bodies of at most 1048576 bytes (max_message_bytes); nothing was published.',
  },
  payload_too_large: {
    status: 413,
    title: 'The request is too large',
    when: 'the request is larger than the largest that the service accepts',
    detail: 'A request here has at most 16777216 bytes: send less at a time.',
  },
  unsupported_media_type: {
    status: 415,
    title: 'The content type is not supported',
    when: 'a JSON call without `Content-Type: application/json`, or a `Content-Encoding` other than gzip',
    detail: 'The body here is JSON: send it with "Content-Type: application/json".',
  },
  precondition_failed: {
    status: 412,
    title: 'It is not as the condition says',
    when: 'what `If-Match` or `If-None-Match` asks for is not so; nothing was done',
    detail: 'payments is not what If-Match says: get it again, and decide again.',
  },
  headers_too_large: {
    status: 431,
    title: 'The request headers are too large',
    when: 'the request has more than 2000 headers, or more than 32 KiB of headers',
    detail: 'A request has at most 2000 headers, of 32 KiB together.',
  },
  internal: {
    status: 500,
    title: 'Something went wrong inside',
    when: 'a fault of the service, with details in its log',
    detail: 'The request failed inside the service, which has logged why.',
  },
  not_implemented: {
    status: 501,
    title: 'The method is not known',
    when: 'no path knows the method; names of methods are in capitals',
    detail: 'The method is not known here; names of methods are in capitals, such as POST.',
  },
  overloaded: {
    status: 503,
    title: 'The service is overloaded',
    when: 'too much work is waiting; try again',
    detail: 'Too much work is waiting already; try again in a moment.',
  },
  shutting_down: {
    status: 503,
    title: 'The service is shutting down',
    when: 'this instance is stopping; try again',
    detail: 'This instance is shutting down: send the request again.',
  },
  database_unavailable: {
    status: 503,
    title: 'The database is not available',
    when: 'the database does not answer; try again',
    detail: 'The database is not reachable now; try again in a moment.',
  },
  database_timeout: {
    status: 503,
    title: 'The database took too long',
    when: 'the database took too long; try again',
    detail: 'The database did not answer in time; try again.',
  },
} as const satisfies Record<FaultCode | OutcomeCode, ProblemKind>;

export type ProblemCode = keyof typeof problems;
export const problemCodes = Object.keys(problems) as ProblemCode[];

const PROBLEM_TYPE = 'application/problem+json; charset=utf-8';
/** Where no fault knows better. */
const RETRY_AFTER_SECONDS = 1;

/** The problem document; `extension` adds members of the code's own, such as `results`. */
export function describeProblem(code: ProblemCode, detail: string, extension: object = {}) {
  const { status, title } = problems[code];
  return { type: `urn:willcall:problem:${code}`, title, status, detail, code, ...extension };
}

/** A fault as a problem document; the title stands in where there is no sentence. */
export function renderProblem(fault: Fault, requestId: string): RenderedFault {
  const { code, detail, fields, retryAfterSeconds } = fault;
  const sentence = detail ?? `${problems[code].title}.`;
  const errors = fields.length > 0 ? { errors: fields } : {};
  return render(describeProblem(code, sentence, { ...errors, request_id: requestId }), retryAfterSeconds);
}

/** Answers with a problem document, for a route whose answer is one with members of its own. */
export function sendProblem(reply: FastifyReply, code: ProblemCode, detail: string, extension?: object): FastifyReply {
  const problem = describeProblem(code, detail, { ...extension, request_id: reply.request.id });
  const { status, headers, body } = render(problem, null);
  return reply.code(status).headers(headers).send(body);
}

/** Where trying again may help, the answer says when. */
function render(problem: ReturnType<typeof describeProblem>, retryAfterSeconds: number | null): RenderedFault {
  const { status } = problem;
  const mayPass = status === 429 || status === 503;
  const retryAfter = retryAfterSeconds ?? (mayPass ? RETRY_AFTER_SECONDS : null);
  return {
    status,
    headers: { 'content-type': PROBLEM_TYPE, ...(retryAfter !== null && { 'retry-after': retryAfter }) },
    body: JSON.stringify(problem),
  };
}
