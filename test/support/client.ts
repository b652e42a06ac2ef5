// An HTTP client for tests, and what the answers look like from outside. It shares no code with the
// service: what it says about the wire is said a second time, on purpose.

import { Agent, request } from 'node:http';
import type { Witness } from './witness.ts';

export interface Problem {
  type: string;
  title: string;
  status: number;
  detail: string;
  code: string;
  errors?: { field: string; message: string }[];
}

export interface Published {
  messages: { id: string; sequence: number | null; duplicate: boolean }[];
}

export interface Message {
  id: string;
  sequence: number;
  receipt: string;
  attempt: number;
  body: string;
  body_encoding: 'utf8' | 'base64';
  content_type: string | null;
  attributes: Record<string, string> | null;
  ordering_key: string | null;
  published_at: string;
  visible_until: string;
}

export interface Settled {
  receipt: string;
  message_id: string | null;
  outcome: string;
  ack_no?: number | null;
  acknowledged_at?: string | null;
  visible_until?: string;
  reference?: string | null;
  reference_differs?: boolean;
}

export interface Received {
  messages: Message[];
  acknowledged: Settled[];
}

export interface SettleAnswer {
  results: Settled[];
  failed: number;
}

export interface Answer<Body> {
  status: number;
  headers: Record<string, string | string[] | undefined>;
  bytes: Buffer;
  /** The parsed body; undefined when it is not JSON. */
  json: Body;
}

export interface CallOptions {
  /** Sent as JSON. */
  json?: unknown;
  /** Sent as it stands. */
  bytes?: Buffer;
  /** A list sends the header as often. */
  headers?: Record<string, string | string[]>;
  /** Null sends no Authorization header. */
  key?: string | null;
  signal?: AbortSignal;
}

export interface Client {
  call<Body = Problem>(method: string, path: string, options?: CallOptions): Promise<Answer<Body>>;
  post<Body = Problem>(path: string, json?: unknown): Promise<Answer<Body>>;
  get<Body = Problem>(path: string): Promise<Answer<Body>>;
  /** A name that no other test of the file uses. */
  freshName(prefix: string): string;
  /** Creates a subscription, with the topic of the same name; returns the name. */
  freshSubscription(settings?: object): Promise<string>;
  /** Publishes text bodies. */
  publish(topic: string, ...bodies: string[]): Promise<Published['messages']>;
  /** Receives with these fields over `wait_seconds: 0`. */
  receive(subscription: string, fields?: object): Promise<Message[]>;
  close(): void;
}

/**
 * Speaks to the service at `url` with `key`, over kept-alive connections. With a witness, an answer
 * that is not as the service describes it makes the call fail.
 */
export function createClient(url: string, key: string, witness?: Witness): Client {
  const agent = new Agent({ keepAlive: true });
  let names = 0;

  const call = async <Body>(method: string, path: string, options: CallOptions = {}): Promise<Answer<Body>> => {
    const body = options.bytes ?? (options.json === undefined ? undefined : Buffer.from(JSON.stringify(options.json)));
    const headers: Record<string, string | string[]> = {
      ...(options.key === null ? {} : { authorization: `Bearer ${options.key ?? key}` }),
      ...(options.json === undefined ? {} : { 'content-type': 'application/json' }),
      ...(body === undefined ? {} : { 'content-length': String(body.length) }),
      ...options.headers,
    };
    const { promise, resolve, reject } = Promise.withResolvers<Answer<Body>>();
    const outgoing = request(
      new URL(url).origin + path,
      { method, agent, headers, ...(options.signal && { signal: options.signal }) },
      (response) => {
        const chunks: Buffer[] = [];
        response.on('data', (chunk: Buffer) => chunks.push(chunk));
        response.once('error', reject);
        response.once('end', () => {
          const bytes = Buffer.concat(chunks);
          const json = parseJson(response.headers['content-type'], bytes) as Body;
          const answer = { status: response.statusCode ?? 0, headers: response.headers, bytes };
          try {
            // The path as it was sent: dots in it have been resolved.
            witness?.check({ method, path: outgoing.path, json: options.json, ...answer });
            resolve({ ...answer, json });
          } catch (error) {
            reject(error);
          }
        });
      },
    );
    outgoing.once('error', reject);
    outgoing.end(body);
    return promise;
  };
  const expectStatus = <Body>(answer: Answer<Body>, ...statuses: number[]): Answer<Body> => {
    if (statuses.includes(answer.status)) return answer;
    throw new Error(`expected ${statuses.join(' or ')}, got ${answer.status}: ${answer.bytes.toString('utf8')}`);
  };

  const client: Client = {
    call,
    post: (path, json) => call('POST', path, json === undefined ? {} : { json }),
    get: (path) => call('GET', path),
    freshName: (prefix) => `${prefix}-${++names}`,
    async freshSubscription(settings = {}) {
      const name = client.freshName('s');
      expectStatus(await call('PUT', `/v1/subscriptions/${name}`, { json: settings }), 201);
      return name;
    },
    async publish(topic, ...bodies) {
      const json = { messages: bodies.map((body) => ({ body })) };
      return expectStatus(await call<Published>('POST', `/v1/topics/${topic}/messages`, { json }), 201).json.messages;
    },
    async receive(subscription, fields = {}) {
      const json = { wait_seconds: 0, ...fields };
      const answer = await call<Received>('POST', `/v1/subscriptions/${subscription}/receive`, { json });
      return expectStatus(answer, 200).json.messages;
    },
    close: () => agent.destroy(),
  };
  return client;
}

/** A raw message may call itself JSON without being any. */
function parseJson(contentType: string | undefined, bytes: Buffer): unknown {
  if (!/[/+]json\b/.test(contentType ?? '')) return undefined;
  try {
    return JSON.parse(bytes.toString('utf8'));
  } catch {
    return undefined;
  }
}
