// Holds every exchange that a test has with a service to the description that this very service
// gives of itself. It reads the description as a client's author would, with a validator of its
// own.

import { gunzipSync } from 'node:zlib';
import { Ajv2020, type ValidateFunction } from 'ajv/dist/2020.js';
import formats from 'ajv-formats';

interface Request {
  method: string;
  /** With its query. */
  path: string;
}

export interface Exchange extends Request {
  /** What was sent as JSON, if anything was. */
  json?: unknown;
  status: number;
  headers: Record<string, string | string[] | undefined>;
  bytes: Buffer;
}

export interface Witness {
  readonly description: OpenApi;
  /**
   * Throws when the answer is not as described, or a request was accepted that the description
   * would refuse.
   */
  check(exchange: Exchange): void;
  /** Whether a request's JSON is as described. */
  accepts(method: string, path: string, json: unknown): boolean;
}

interface MediaType {
  schema?: object;
  example?: unknown;
  examples?: Record<string, { value: unknown }>;
}

interface Header {
  $ref?: string;
  required: boolean;
  schema: { type?: string };
}

interface Response {
  $ref?: string;
  headers?: Record<string, Header>;
  content?: Record<string, MediaType>;
}

export interface Operation {
  operationId: string;
  description: string;
  security?: [];
  parameters: { name: string; in: string; example?: string }[];
  requestBody?: { required: boolean; content: Record<string, MediaType> };
  responses: Record<string, Response>;
}

export interface OpenApi {
  paths: Record<string, Record<string, Operation>>;
  components: {
    headers: Record<string, Header>;
    responses: Record<string, Response>;
    schemas: Record<string, object>;
  };
}

/** Headers that an answer has only where the description says so. */
const DESCRIBED_HEADERS = /^(?:willcall-.*|location|retry-after|ratelimit.*|www-authenticate|allow)$/;

export function createWitness(description: OpenApi): Witness {
  const validate = createValidator(description);

  const checkContent = (response: Response, pointer: string[], { method, headers, bytes }: Exchange): void => {
    const content = Object.keys(response.content ?? {});
    if (content.length === 0 || method === 'HEAD') {
      hold(bytes.length === 0, `a body of ${bytes.length} bytes where none is described`);
      return;
    }
    const type = String(headers['content-type'] ?? '').split(';')[0] ?? '';
    const described = content.find((each) => each === type || each === '*/*');
    hold(described !== undefined, `the content type "${type}" is not among ${content.join(', ')}`);
    if (!/[/+]json$/.test(described ?? '')) return;
    const text = headers['content-encoding'] === 'gzip' ? gunzipSync(bytes) : bytes;
    validate([...pointer, 'content', described ?? '', 'schema'], JSON.parse(text.toString('utf8')));
  };

  const checkAnswer = (response: Response, pointer: string[], exchange: Exchange): void => {
    const described = new Set<string>();
    for (const [name, { $ref, required, schema }] of Object.entries(response.headers ?? {})) {
      const value = exchange.headers[name.toLowerCase()];
      described.add(name.toLowerCase());
      hold(!required || value !== undefined, `the header ${name} is missing`);
      const place = $ref === undefined ? [...pointer, 'headers', name] : $ref.split('/').slice(1);
      if (value !== undefined) validate([...place, 'schema'], readHeader(value, schema));
    }
    for (const name of Object.keys(exchange.headers)) {
      const wildcard = [...described].some((each) => each.endsWith('*') && name.startsWith(each.slice(0, -1)));
      hold(!DESCRIBED_HEADERS.test(name) || described.has(name) || wildcard, `the header ${name} is not described`);
    }
    checkContent(response, pointer, exchange);
  };

  const checkExchange = (exchange: Exchange): void => {
    const found = findOperation(description, exchange);
    const responses = found?.operation.responses ?? sharedByStatus(description);
    const response = responses[exchange.status];
    const given = Object.keys(responses).join(', ');
    if (response === undefined) throw new Error(`the status is not among those described: ${given}`);
    const shared = response.$ref?.split('/').at(-1);
    if (shared !== undefined) {
      checkAnswer(description.components.responses[shared] ?? {}, ['components', 'responses', shared], exchange);
    } else {
      checkAnswer(response, [...(found?.pointer ?? []), 'responses', String(exchange.status)], exchange);
    }
    if (exchange.status < 300 && exchange.json !== undefined) checkRequest(exchange, exchange.json);
  };

  const checkRequest = (request: Request, json: unknown): void => {
    const found = findOperation(description, request);
    const body = found?.operation.requestBody?.content['application/json'];
    if (found === null || body === undefined) return;
    validate([...found.pointer, 'requestBody', 'content', 'application/json', 'schema'], json);
  };

  return {
    description,
    accepts(method, path, json) {
      try {
        checkRequest({ method, path }, json);
        return true;
      } catch {
        return false;
      }
    },
    check(exchange) {
      try {
        checkExchange(exchange);
      } catch (error) {
        const { method, path, status, bytes } = exchange;
        const start = `${method} ${path} answered ${status}, and not as described`;
        throw new Error(`${start}: ${(error as Error).message}\n${bytes.toString('utf8', 0, 2000)}`, { cause: error });
      }
    },
  };
}

/** Asks the service at this URL for its description. */
export async function callWitness(url: string): Promise<Witness> {
  return createWitness((await (await fetch(`${url}/openapi.json`)).json()) as OpenApi);
}

/** The operation of a request; null when the path has none with this method. */
function findOperation({ paths }: OpenApi, { method, path }: Request) {
  const given = (path.split('?', 1)[0] ?? '').split('/');
  const verb = method === 'HEAD' ? 'get' : method.toLowerCase();
  for (const [template, operations] of Object.entries(paths)) {
    const parts = template.split('/');
    const operation = operations[verb];
    if (operation === undefined || parts.length !== given.length) continue;
    if (!parts.every((part, index) => part.startsWith('{') || part === given[index])) continue;
    return { operation, pointer: ['paths', template, verb] };
  }
  return null;
}

/** What a request may be answered with that is no operation's. */
function sharedByStatus({ components }: OpenApi): Record<string, Response> {
  const statusOf = (response: Response) => {
    const [example] = Object.values(response.content?.['application/problem+json']?.examples ?? {});
    return (example?.value as { status: number } | undefined)?.status ?? 0;
  };
  return Object.fromEntries(
    Object.entries(components.responses).map(([name, response]) => [
      statusOf(response),
      { $ref: `#/components/responses/${name}` },
    ]),
  );
}

function readHeader(value: string | string[], schema: { type?: string } | undefined): unknown {
  return schema?.type === 'integer' ? Number(value) : [value].flat().join(', ');
}

/**
 * Validates a value against the schema at a place in the description; each schema is compiled when
 * it is first used.
 */
function createValidator(description: OpenApi): (pointer: readonly string[], value: unknown) => void {
  const ajv = new Ajv2020({ strict: false, validateSchema: false });
  formats.default(ajv);
  ajv.addSchema({ $id: 'openapi', ...closeObjects(description) });
  const compiled = new Map<string, ValidateFunction>();
  return (pointer, value) => {
    const path = pointer.map((part) => encodeURIComponent(part.replaceAll('~', '~0').replaceAll('/', '~1'))).join('/');
    const validate = compiled.get(path) ?? ajv.compile({ $ref: `openapi#/${path}` });
    compiled.set(path, validate);
    if (!validate(value)) throw new Error(ajv.errorsText(validate.errors, { dataVar: 'it' }));
  };
}

/**
 * Answers may gain fields, says the description to clients; here a field that it does not name is a
 * mistake.
 */
function closeObjects<Value>(value: Value): Value {
  if (Array.isArray(value)) return value.map(closeObjects) as Value;
  if (typeof value !== 'object' || value === null) return value;
  const closed = Object.fromEntries(Object.entries(value).map(([key, each]) => [key, closeObjects(each)]));
  const isOpen = closed.type === 'object' && closed.properties !== undefined;
  return (isOpen ? { additionalProperties: false, ...closed } : closed) as Value;
}

function hold(holds: boolean, otherwise: string): void {
  if (!holds) throw new Error(otherwise);
}
