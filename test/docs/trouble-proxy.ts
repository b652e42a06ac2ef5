// A proxy before a live service that makes the trouble a test asks for: refusals, connections that
// break, answers that get lost after the service has done what it was told.

import { once } from 'node:events';
import { createServer, type IncomingMessage, request as sendRequest } from 'node:http';
import type { AddressInfo } from 'node:net';

/** `hang up` before the service sees the request; `lose` its answer. */
export type Trouble = 'hang up' | 'lose' | { readonly status: number; readonly retryAfter?: number };

export interface Passage {
  /** The last part of the path, such as `acknowledge`. */
  readonly verb: string;
  /** Milliseconds on the clock of `performance.now`. */
  readonly at: number;
  readonly trouble: Trouble | null;
}

export interface TroubleProxy {
  readonly url: string;
  readonly passages: readonly Passage[];
  /**
   * What happens to the next calls of a verb, one after the other; `receive/raw` counts as
   * `receive`.
   */
  plan(verb: string, ...troubles: Trouble[]): void;
  close(): Promise<void>;
}

export async function openTroubleProxy(serviceUrl: string): Promise<TroubleProxy> {
  const plans = new Map<string, Trouble[]>();
  const passages: Passage[] = [];
  const { hostname, port } = new URL(serviceUrl);
  const server = createServer(async (incoming, outgoing) => {
    const at = performance.now();
    const body = await read(incoming);
    const verb =
      (incoming.url ?? '')
        .replace(/\/raw$/, '')
        .split('/')
        .at(-1) ?? '';
    const trouble = plans.get(verb)?.shift() ?? null;
    passages.push({ verb, at, trouble });
    if (trouble === 'hang up') return void incoming.socket.destroy();
    if (trouble !== null && trouble !== 'lose') {
      const headers = trouble.retryAfter === undefined ? {} : { 'retry-after': String(trouble.retryAfter) };
      return void outgoing.writeHead(trouble.status, headers).end('a page of a proxy');
    }
    const { method, url, headers } = incoming;
    const onward = sendRequest({ hostname, port, method, path: url, headers, agent: false });
    // Who hangs up here has hung up there.
    outgoing.once('close', () => onward.destroy());
    onward.once('error', () => incoming.socket.destroy());
    onward.once('response', async (answer: IncomingMessage) => {
      const content = await read(answer);
      if (trouble === 'lose') incoming.socket.destroy();
      else outgoing.writeHead(answer.statusCode ?? 500, answer.headers).end(content);
    });
    onward.end(body);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    passages,
    plan: (verb, ...troubles) => void plans.set(verb, troubles),
    async close() {
      server.closeAllConnections();
      server.close();
      await once(server, 'close');
    },
  };
}

async function read(stream: IncomingMessage): Promise<Buffer> {
  const chunks: Buffer[] = [];
  try {
    for await (const chunk of stream) chunks.push(chunk as Buffer);
  } catch {
    // Cut off: whoever waits for it has gone.
  }
  return Buffer.concat(chunks);
}
