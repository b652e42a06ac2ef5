// The problems that each call may be answered with, as the description shows them.

import { describeProblem, type ProblemCode, type ProblemKind, problemCodes, problems } from '../../http/problems.ts';
import type { DetailedProblem, Route } from '../routes/route.ts';
import { headersByStatus, problem } from '../schemas/problems.ts';
import { addRateLimit, describeHeaders, type Response } from './answers.ts';
import { referTo } from './json-schemas.ts';

/** Sets of problems that many calls share, under the names of their components. */
const shared: Readonly<Record<string, readonly ProblemCode[]>> = {
  BadRequest: ['invalid_request', 'malformed_request'],
  BadRequestBody: ['invalid_request', 'malformed_request', 'malformed_body'],
  NotImplemented: ['not_implemented'],
  Unauthorized: ['unauthenticated'],
  Forbidden: ['forbidden'],
  ForbiddenChange: ['forbidden', 'cross_site'],
  NotFound: ['not_found'],
  MethodNotAllowed: ['method_not_allowed'],
  RequestTimeout: ['request_timeout'],
  PayloadTooLarge: ['payload_too_large'],
  UnsupportedMediaType: ['unsupported_media_type'],
  PreconditionFailed: ['precondition_failed'],
  TooManyRequests: ['rate_limited', 'too_much_traffic'],
  HeadersTooLarge: ['headers_too_large'],
  InternalError: ['internal'],
  Unavailable: ['overloaded', 'shutting_down', 'database_unavailable', 'database_timeout'],
};

const everywhere: readonly ProblemCode[] = [
  'invalid_request',
  'malformed_request',
  'request_timeout',
  'headers_too_large',
  'internal',
  'shutting_down',
];
/** Of calls whose body is read, and which change something. */
const withBody: readonly ProblemCode[] = [
  'malformed_body',
  'payload_too_large',
  'unsupported_media_type',
  'cross_site',
];
const withKey: readonly ProblemCode[] = [
  'precondition_failed',
  'unauthenticated',
  'forbidden',
  'rate_limited',
  'too_much_traffic',
  'overloaded',
  'database_unavailable',
  'database_timeout',
];

/** Answered before the key of the call is known. */
const beforeCounting: readonly ProblemCode[] = [
  'unauthenticated',
  'not_found',
  'method_not_allowed',
  'not_implemented',
  'request_timeout',
  'headers_too_large',
];

/**
 * The components that calls refer to, and `NotFound` and `MethodNotAllowed`, which no call of its
 * own has.
 */
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
  const { detailedProblems } = route.describe;
  const codes = new Set([...everywhere, ...route.describe.problems]);
  if (route.open !== true) for (const code of withKey) codes.add(code);
  if (route.method !== 'GET') for (const code of withBody) codes.add(code);
  const byStatus = Map.groupBy(
    problemCodes.filter((code) => codes.has(code)),
    (code) => problems[code].status,
  );
  return Object.fromEntries(
    [...byStatus].map(([status, of]) => [status, referToShared(of) ?? describeProblems(of, detailedProblems)]),
  );
}

function referToShared(codes: readonly ProblemCode[]): Response | undefined {
  const found = Object.entries(shared).find(([, each]) => each.join() === codes.join());
  return found && { $ref: `#/components/responses/${found[0]}` };
}

/** The problems of one status, distinguished by their codes. */
function describeProblems(
  codes: readonly ProblemCode[],
  detailed: Route['describe']['detailedProblems'] = {},
): Response {
  const schemas = new Set(codes.map((code) => detailed[code]?.schema ?? problem));
  const alternatives = [...schemas].map((schema) => ({
    ...referTo(schema),
    properties: { code: { enum: codes.filter((code) => (detailed[code]?.schema ?? problem) === schema) } },
  }));
  const status = codes[0] === undefined ? 500 : problems[codes[0]].status;
  const headers = headersByStatus[status];
  return {
    description: codes.map((code) => `\`${code}\`: ${problems[code].when}.`).join('\n\n'),
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
  const known: ProblemKind = problems[code];
  return describeProblem(code, known.detail, detailed?.example ?? known.extension);
}
