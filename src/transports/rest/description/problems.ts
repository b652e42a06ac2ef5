// The problems that each call may be answered with, in words and with examples. A new code does not compile until it has
// its words here.

import { describeProblem, type ProblemCode, problemCodes } from '../errors.ts';
import type { DetailedProblem, Route } from '../routes/route.ts';
import { headersByStatus, problem } from '../schemas/problems.ts';
import { addRateLimit, describeHeaders, type Response } from './answers.ts';
import { referTo } from './json-schemas.ts';

interface ProblemWords {
  readonly when: string;
  /** A detail as it might stand in an answer. */
  readonly detail: string;
  /** Members beyond every problem's. */
  readonly extension?: object;
}

const words = {
  invalid_request: {
    when: 'a field, a name, a header or the JSON is not what it should be; `errors` says what',
    detail: 'max_messages must be a whole number from 1 to 1000.',
    extension: { errors: [{ field: 'max_messages', message: 'must be a whole number from 1 to 1000' }] },
  },
  malformed_request: {
    when: 'not well-formed HTTP, or the body ended early or is not the gzip that it is said to be',
    detail: 'The body ended before the length that was announced.',
  },
  unauthenticated: {
    when: 'no key, or one that is wrong, expired or revoked',
    detail: 'The key is not good here: it is wrong, expired or revoked.',
  },
  forbidden: {
    when: 'the key does not open this, whether it exists or not',
    detail: 'The key does not open this: it needs a role that allows the call, on names that include this one.',
  },
  cross_site: {
    when: 'a browser made the call for a page of another site; nothing was done',
    detail: 'A page of another site made this call in a browser: nothing was done.',
  },
  not_found: {
    when: 'nothing is at the path',
    detail: 'There is nothing at this path: check its spelling and the version, /v1.',
  },
  topic_not_found: {
    when: 'no living topic has the name',
    detail: 'There is no topic named payments.',
  },
  subscription_not_found: {
    when: 'no living subscription has the name',
    detail: 'There is no subscription named acme-erp.',
  },
  key_not_found: {
    when: 'no key has the id',
    detail: 'There is no key with this id; a list of the keys shows their ids.',
  },
  method_not_allowed: {
    when: 'the path exists, the method does not; see `Allow`',
    detail: 'PUT is not done here: use GET, HEAD.',
  },
  request_timeout: {
    when: 'the request did not arrive in time',
    detail: 'The request did not arrive whole in time: send it again.',
  },
  topic_conflict: {
    when: 'it exists with other settings',
    detail: 'There is a topic payments with other settings (retention_seconds); change it with PATCH.',
  },
  subscription_conflict: {
    when: 'it exists with other settings',
    detail: 'There is a subscription acme-erp with other settings (max_attempts); change what can be with PATCH.',
  },
  idempotency_conflict: {
    when: 'a dedupe key was used for another body; `errors` names the messages',
    detail: 'A dedupe key names one body: use a new key for a new message; nothing was published.',
    extension: {
      errors: [{ field: 'messages[0].dedupe_key', message: 'was used for another body: "ping-2026-03-17"' }],
    },
  },
  nothing_settled: {
    when: 'none of the receipts is ok; `results` says why',
    detail: 'None of the receipts was settled: see the outcome of each.',
  },
  atomic_refused: {
    when: 'one receipt of an atomic call is not ok, so nothing was done; `results` says which',
    detail: '1 of 2 receipts are not good, so none was settled: repeat the call without them.',
  },
  rate_limited: {
    when: 'the key calls more often than it may; nothing was done',
    detail: 'The key has made 2000 calls faster than it may: make the next one in 1 s.',
  },
  too_many_receives: {
    when: 'the key has as many receives waiting as it may; nothing was settled or handed out',
    detail: 'The key has 1000 receives waiting, as many as it may: wait for one of them.',
  },
  backlog_full: {
    when: 'a subscription of the topic is as far behind as `max_backlog` allows; nothing was published',
    detail:
      'payments is full: one of its subscriptions would be further behind than it may (max_backlog); nothing was published.',
  },
  too_much_traffic: {
    when: 'requests and unread answers of the key hold more of the memory than its share; nothing was done',
    detail: 'The calls of this key hold too much at once: read the answers, and send less at the same time.',
  },
  message_too_large: {
    when: 'a body is larger than its topic allows',
    detail: 'payments takes bodies of at most 1048576 bytes (max_message_bytes); nothing was published.',
  },
  payload_too_large: {
    when: 'the request is larger than any may be',
    detail: 'A request here has at most 16777216 bytes: send less at a time.',
  },
  unsupported_media_type: {
    when: 'a JSON call without `Content-Type: application/json`, or a `Content-Encoding` other than gzip',
    detail: 'The body here is JSON: send it with "Content-Type: application/json".',
  },
  headers_too_large: {
    when: 'more than 2000 headers, or than 32 KiB of them',
    detail: 'The headers of a request are at most 2000 and 32 KiB together.',
  },
  internal: {
    when: 'a fault of the service; its log says more',
    detail: 'The request failed inside the service, which has logged why.',
  },
  overloaded: {
    when: 'too much work is waiting; try again',
    detail: 'Too much work is waiting already; try again in a moment.',
  },
  shutting_down: {
    when: 'this instance is stopping; try again',
    detail: 'This instance is shutting down: send the request again.',
  },
  database_unavailable: {
    when: 'the database does not answer; try again',
    detail: 'The database is not reachable now; try again in a moment.',
  },
  database_timeout: {
    when: 'the database took too long; try again',
    detail: 'The database did not answer in time; try again.',
  },
} as const satisfies Record<ProblemCode, ProblemWords>;

/** Sets of problems that many calls share, under the names of their components. */
const shared: Readonly<Record<string, readonly ProblemCode[]>> = {
  BadRequest: ['invalid_request', 'malformed_request'],
  Unauthorized: ['unauthenticated'],
  Forbidden: ['forbidden'],
  ForbiddenChange: ['forbidden', 'cross_site'],
  NotFound: ['not_found'],
  MethodNotAllowed: ['method_not_allowed'],
  RequestTimeout: ['request_timeout'],
  PayloadTooLarge: ['payload_too_large'],
  UnsupportedMediaType: ['unsupported_media_type'],
  TooManyRequests: ['rate_limited', 'too_much_traffic'],
  HeadersTooLarge: ['headers_too_large'],
  InternalError: ['internal'],
  Unavailable: ['overloaded', 'shutting_down', 'database_unavailable', 'database_timeout'],
};

const everywhere: readonly ProblemCode[] = [
  'invalid_request',
  'malformed_request',
  'request_timeout',
  'unsupported_media_type',
  'headers_too_large',
  'internal',
  'shutting_down',
];
const withKey: readonly ProblemCode[] = [
  'unauthenticated',
  'forbidden',
  'rate_limited',
  'too_much_traffic',
  'overloaded',
  'database_unavailable',
  'database_timeout',
];

/** Answered before anybody knows whose call it is. */
const beforeCounting: readonly ProblemCode[] = ['unauthenticated', 'request_timeout', 'headers_too_large'];

/** The components that calls refer to, and `NotFound` and `MethodNotAllowed`, which no call of its own has. */
export function describeSharedProblems(): Record<string, Response> {
  return Object.fromEntries(
    Object.entries(shared).map(([name, codes]) => {
      const response = describeProblems(codes);
      return [name, codes.some((code) => beforeCounting.includes(code)) ? response : addRateLimit(response)];
    }),
  );
}

/** Every problem of a route by its status. */
export function describeProblemsOf(route: Route): Record<string, Response> {
  const { problems, detailedProblems } = route.describe;
  const codes = new Set([...everywhere, ...problems]);
  if (route.open !== true) for (const code of withKey) codes.add(code);
  if (route.method !== 'GET') for (const code of ['payload_too_large', 'cross_site'] as const) codes.add(code);
  const byStatus = Map.groupBy(
    problemCodes.filter((code) => codes.has(code)),
    (code) => describeProblem(code, '').status,
  );
  return Object.fromEntries(
    [...byStatus].map(([status, of]) => [status, referToShared(of) ?? describeProblems(of, detailedProblems)]),
  );
}

function referToShared(codes: readonly ProblemCode[]): Response | undefined {
  const found = Object.entries(shared).find(([, each]) => each.join() === codes.join());
  return found && { $ref: `#/components/responses/${found[0]}` };
}

/** The problems of one status, told apart by their codes. */
function describeProblems(
  codes: readonly ProblemCode[],
  detailed: Route['describe']['detailedProblems'] = {},
): Response {
  const schemas = new Set(codes.map((code) => detailed[code]?.schema ?? problem));
  const alternatives = [...schemas].map((schema) => ({
    ...referTo(schema),
    properties: { code: { enum: codes.filter((code) => (detailed[code]?.schema ?? problem) === schema) } },
  }));
  const status = codes[0] === undefined ? 500 : describeProblem(codes[0], '').status;
  const headers = headersByStatus[status];
  return {
    description: codes.map((code) => `\`${code}\`: ${words[code].when}.`).join('\n\n'),
    ...(headers && { headers: describeHeaders(headers) }),
    content: {
      'application/problem+json': {
        schema: alternatives.length === 1 ? alternatives[0] : { oneOf: alternatives },
        examples: Object.fromEntries(codes.map((code) => [code, { value: makeExample(code, detailed[code]) }])),
      },
    },
  };
}

function makeExample(code: ProblemCode, detailed: DetailedProblem | undefined): object {
  const known: ProblemWords = words[code];
  return describeProblem(code, known.detail, detailed?.example ?? known.extension);
}
