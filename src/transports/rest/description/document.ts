// The OpenAPI 3.1 document of this transport, made of its routes and of the schemas that they parse
// with (docs/decisions/0021-openapi-from-zod.md). It is a function of the code alone: the same for
// every instance.

import { type Operation as AccessOperation, accessRules } from '../../../domain/access.ts';
import type { RequestBody, Route } from '../routes/route.ts';
import { pathParameters } from '../schemas/parameters.ts';
import { tags } from '../tags.ts';
import {
  addRateLimit,
  describeAnswer,
  describeBytes,
  describeJson,
  describeSharedHeaders,
  type Response,
} from './answers.ts';
import { writeCurl } from './code-samples.ts';
import { describeComponents, describeFields, type Field } from './json-schemas.ts';
import type { OpenApiDocument, Operation, Parameter } from './openapi.ts';
import { describeProblemsOf, describeSharedProblems } from './problems.ts';

/** Of the API, not of the program: grows with what clients can see. */
const API_VERSION = '1.0';

const OVERVIEW = `A pull queue for notifications between organisations. A business system publishes messages to a topic. Each of its
vendors collects them from a subscription, processes them, and signs for them; every signature is a row of a ledger.

Times are RFC 3339 in UTC. Durations are whole seconds, in fields named \`…_seconds\`. Requests are read strictly: an unknown field, a
wrong type or a value beyond its limits refuses the request as a whole, and the answer names the field and the limit. Answers may
gain fields: ignore those that you do not know.

Errors are problem documents (RFC 9457) with a stable \`code\`. When a key does not allow a call on a name, the answer is 403, in the
same words whether or not something has that name. A path that does not exist is answered 404 \`not_found\`, a method that a
path does not have 405 \`method_not_allowed\` with \`Allow\`. After a 503 or a lost connection a publish may or may not have
happened: with a \`dedupe_key\` it can be repeated safely. All other calls can be repeated, except creating a key.

Each key has a number of calls per second on each instance, and twice that at once after a pause. The \`RateLimit\` and
\`RateLimit-Policy\` fields of each answer say how many are left (draft-ietf-httpapi-ratelimit-headers-10). A call beyond the limit is
answered 429 \`rate_limited\` with \`Retry-After\`. A call that is answered 429, with whatever code, was not read and had no effect.

A request may be compressed with \`Content-Encoding: gzip\`; all limits apply to the inflated size. Larger answers are compressed
when \`Accept-Encoding\` allows gzip. Every answer has \`Cache-Control: no-store\`, \`X-Content-Type-Options: nosniff\`,
\`Referrer-Policy: no-referrer\` and a restrictive \`Content-Security-Policy\`. Each GET also works as HEAD.`;

/** Throws when a body is no component, or a path has a parameter without a description. */
export function createDocument(routes: readonly Route[]): OpenApiDocument {
  return {
    openapi: '3.1.1',
    info: { title: 'Willcall', version: API_VERSION, description: joinLines(OVERVIEW) },
    servers: [{ url: '/', description: 'The service that this document comes from.' }],
    security: [{ bearer: [] }, { basic: [] }],
    tags: Object.entries(tags).map(([tag, description]) => ({ name: tag, description })),
    paths: describePaths(routes),
    components: {
      securitySchemes: {
        bearer: { type: 'http', scheme: 'bearer', description: 'The key.' },
        basic: {
          type: 'http',
          scheme: 'basic',
          description: 'For clients without Bearer: the id of the key as the user name, the key as the password.',
        },
      },
      headers: describeSharedHeaders(),
      responses: describeSharedProblems(),
      schemas: describeComponents(),
    },
  };
}

/** The document as a file of text, for people to compare. */
export function formatDocument(document: OpenApiDocument): string {
  return `${JSON.stringify(document, null, 2)}\n`;
}

function describePaths(routes: readonly Route[]): OpenApiDocument['paths'] {
  const chapters = Object.keys(tags);
  const inOrder = routes.toSorted((a, b) => chapters.indexOf(a.describe.tag) - chapters.indexOf(b.describe.tag));
  const paths: Record<string, Record<string, Operation>> = {};
  for (const route of inOrder) {
    const path = route.url.replace(/:(\w+)/g, '{$1}');
    paths[path] ??= {};
    paths[path][route.method.toLowerCase()] = describeOperation(route, path);
  }
  return paths;
}

function describeOperation(route: Route, path: string): Operation {
  const { id, tag, summary, body, answers } = route.describe;
  const responses: Record<string, Response> = describeProblemsOf(route);
  for (const [status, answer] of Object.entries(answers)) responses[status] = describeAnswer(answer);
  const counted = Object.entries(responses).map(([status, response]) => [status, addRateLimit(response)]);
  const parameters = describeParameters(route);
  const requestBody = body && describeRequestBody(body);
  const answer = Object.entries(responses).find(([status]) => status.startsWith('2'))?.[1].content;
  const open = route.open === true;
  return {
    operationId: id,
    tags: [tag],
    summary,
    description: describeUse(route),
    ...(open && { security: [] }),
    parameters,
    ...(requestBody && { requestBody }),
    responses: open ? responses : Object.fromEntries(counted),
    'x-codeSamples': [writeCurl({ method: route.method, path, open, parameters, requestBody, answer })],
  };
}

function describeUse(route: Route): string {
  const { method, open, operation, describe } = route;
  const head = method === 'GET' ? ['The method HEAD gives the same answer without its body.'] : [];
  return [describe.description, ...head, ...(open ? [] : [listRoles(operation)])].join('\n\n');
}

/** Out of the table that lets callers in. */
function listRoles(operation: AccessOperation): string {
  return `For the roles ${accessRules[operation].roles.map((role) => `\`${role}\``).join(', ')}.`;
}

function describeParameters({ url, query, describe }: Route): Parameter[] {
  const known = describeFields(pathParameters);
  const inPath = [...url.matchAll(/:(\w+)/g)].map(([, parameter]) => {
    const field = known.find(({ name }) => name === parameter);
    if (field === undefined) throw new Error(`${parameter}, in ${url}, has to be described in schemas/parameters.ts.`);
    return toParameter('path', field);
  });
  const inQuery = query === undefined ? [] : describeFields(query).map((field) => toParameter('query', field));
  const inHeader =
    describe.headers === undefined ? [] : describeFields(describe.headers).map((field) => toParameter('header', field));
  return [...inPath, ...inQuery, ...inHeader];
}

function toParameter(place: Parameter['in'], { name, required, description, examples, schema }: Field): Parameter {
  return {
    name: place === 'header' ? capitalize(name) : name,
    in: place,
    required,
    description,
    schema,
    ...(examples.length > 0 && { example: examples[0] }),
  };
}

function describeRequestBody(body: RequestBody): NonNullable<Operation['requestBody']> {
  if ('bytes' in body) return { required: true, content: describeBytes(body.bytes) };
  return { required: body.required, content: describeJson(body.json) };
}

/** As headers are usually written: `Willcall-Ordering-Key`. */
function capitalize(header: string): string {
  return header.replace(/(^|-)[a-z]/g, (letter) => letter.toUpperCase());
}

/** Paragraphs of one line each. */
function joinLines(text: string): string {
  return text.replace(/([^\n])\n(?!\n)/g, '$1 ');
}
