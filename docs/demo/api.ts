// The demo's HTTP client: plain fetch, with every request and answer on the screen.

import type { Screen } from './screen.ts';

/** One received message, as the service writes it. */
export interface Message {
  readonly id: string;
  readonly sequence: number;
  readonly receipt: string;
  readonly attempt: number;
  readonly body: string;
  readonly body_encoding: 'utf8' | 'base64';
  readonly content_type: string | null;
  readonly attributes: Readonly<Record<string, string>> | null;
}

/** One receipt's outcome. */
export interface Settled {
  readonly receipt: string;
  readonly message_id: string | null;
  readonly outcome: string;
  readonly ack_no: number | null;
}

export interface SettleAnswer {
  readonly results: readonly Settled[];
  readonly failed: number;
}

export interface Answer<Body> {
  readonly status: number;
  readonly headers: Headers;
  readonly json: Body;
  readonly bytes: Buffer;
  readonly elapsedMs: number;
}

interface RawRequest {
  readonly body: Buffer;
  readonly headers: Readonly<Record<string, string>>;
}

export interface Api {
  /**
   * A call with a JSON body, or none. `Body` is what the caller expects; the story checks what
   * matters of it.
   */
  call<Body>(method: string, path: string, body?: unknown): Promise<Answer<Body>>;
  /** A call whose body is sent as it stands. */
  send<Body>(path: string, request: RawRequest): Promise<Answer<Body>>;
  /** Like call, but only the request is printed now; show the answer when the story is there. */
  park<Body>(method: string, path: string, body: unknown): Promise<Answer<Body>>;
  show(answer: Answer<unknown>): void;
}

/**
 * Calls the service at `baseUrl` with the key of the moment; `who` is printed beside each request.
 */
export function createApi(options: { baseUrl: string; key: () => string; who: string; screen: Screen }): Api {
  const { screen, who } = options;

  async function exchange<Body>(method: string, path: string, init: RequestInit): Promise<Answer<Body>> {
    const started = performance.now();
    const headers = { authorization: `Bearer ${options.key()}`, ...(init.headers as Record<string, string>) };
    const response = await fetch(new URL(path, options.baseUrl), { ...init, method, headers });
    const bytes = Buffer.from(await response.arrayBuffer());
    const isJson = /[/+]json\b/.test(response.headers.get('content-type') ?? '');
    const json = (isJson && bytes.length > 0 ? JSON.parse(bytes.toString('utf8')) : null) as Body;
    return { status: response.status, headers: response.headers, json, bytes, elapsedMs: performance.now() - started };
  }

  function show(answer: Answer<unknown>): void {
    const shown =
      answer.json ?? (answer.bytes.length > 0 ? { ...tellingHeaders(answer), body: answer.bytes } : undefined);
    screen.answer(`${answer.status} after ${Math.round(answer.elapsedMs)} ms`, answer.status < 300, shown);
  }

  const asJson = (body: unknown): RequestInit =>
    body === undefined ? {} : { body: JSON.stringify(body), headers: { 'content-type': 'application/json' } };

  return {
    async call<Body>(method: string, path: string, body?: unknown) {
      screen.request(who, `${method} ${path}`, body);
      const answer = await exchange<Body>(method, path, asJson(body));
      show(answer);
      return answer;
    },
    async send<Body>(path: string, request: RawRequest) {
      screen.request(who, `POST ${path}`, { ...request.headers, body: request.body });
      const init = { body: new Uint8Array(request.body), headers: request.headers };
      const answer = await exchange<Body>('POST', path, init);
      show(answer);
      return answer;
    },
    park<Body>(method: string, path: string, body: unknown) {
      screen.request(who, `${method} ${path}`, body);
      return exchange<Body>(method, path, asJson(body));
    },
    show,
  };
}

function tellingHeaders({ headers }: Answer<unknown>): Record<string, string> {
  return Object.fromEntries([...headers].filter(([name]) => name === 'content-type' || name.startsWith('willcall-')));
}

/** The message's bytes, however they travelled. */
export function bodyOf(message: Message): Buffer {
  return Buffer.from(message.body, message.body_encoding === 'base64' ? 'base64' : 'utf8');
}
