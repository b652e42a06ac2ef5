// An HTTP server that answers as a test says, also in ways that Willcall never would: pages of a
// proxy, silence, a connection that breaks.

import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';

export interface SeenRequest {
  readonly method: string;
  /** With the query. */
  readonly path: string;
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
  /** Undefined when there was no body. */
  readonly json: unknown;
  /** Milliseconds on the clock of `performance.now`. */
  readonly at: number;
  /** Aborted when the client goes away before it has its answer. */
  readonly gone: AbortSignal;
}

export interface ScriptedAnswer {
  readonly status?: number;
  readonly headers?: Readonly<Record<string, string>>;
  /** A string is sent as it stands, anything else as JSON. */
  readonly body?: unknown;
}

/** `hang up` breaks the connection; `silence` never answers. */
export type Scripted = ScriptedAnswer | 'hang up' | 'silence';

export interface ScriptedServer {
  readonly url: string;
  /** In the order in which they came. */
  readonly seen: SeenRequest[];
  close(): Promise<void>;
}

export async function openScriptedServer(
  answer: (request: SeenRequest, index: number) => Scripted | Promise<Scripted>,
): Promise<ScriptedServer> {
  const seen: SeenRequest[] = [];
  const server = createServer(async (request, response) => {
    const at = performance.now();
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(chunk as Buffer);
    const text = Buffer.concat(chunks).toString('utf8');
    const gone = new AbortController();
    response.once('close', () => {
      if (!response.writableFinished) gone.abort();
    });
    const { method = '', url: path = '', headers } = request;
    const json: unknown = text === '' ? undefined : JSON.parse(text);
    const seenRequest = { method, path, headers, json, at, gone: gone.signal };
    const scripted = await answer(seenRequest, seen.push(seenRequest) - 1);
    if (scripted === 'silence') return;
    if (scripted === 'hang up') {
      request.socket.destroy();
      return;
    }
    const { status = 200, headers: extra, body } = scripted;
    const content = typeof body === 'string' ? body : body === undefined ? '' : JSON.stringify(body);
    response.writeHead(status, { 'content-type': 'application/json', ...extra }).end(content);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    seen,
    async close() {
      server.closeAllConnections();
      server.close();
      await once(server, 'close');
    },
  };
}

/** A problem as the service would send it. */
export function problem(status: number, code: string, extra: object = {}): ScriptedAnswer {
  const body = { type: `urn:willcall:problem:${code}`, title: 'Title', status, detail: 'Detail.', code, ...extra };
  return { status, headers: { 'content-type': 'application/problem+json' }, body };
}
