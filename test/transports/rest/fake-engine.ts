// An engine for faults that a real one cannot be made to have on demand, behind the real
// transports. Everything else is tested against the real one.

import { adminAccess } from '../../../src/domain/access.ts';
import { fairUseDefaults } from '../../../src/domain/fair-use.ts';
import type { Logger } from '../../../src/domain/logger.ts';
import type { ReceivedMessage } from '../../../src/domain/message.ts';
import type { Observer } from '../../../src/domain/observer.ts';
import { ByteBudget } from '../../../src/engine/fair-use/byte-budget.ts';
import type { Engine } from '../../../src/engine/index.ts';
import type { ReceiveAnswer } from '../../../src/engine/receive.ts';
import type { CallerSignal } from '../../../src/engine/waiting/abort-signal.ts';
import type { Timeouts } from '../../../src/transports/http/timeouts.ts';
import { createTransports } from '../../../src/transports/index.ts';
import { type Client, createClient } from '../../support/client.ts';
import { callWitness } from '../../support/witness.ts';

export interface TestTransport {
  url: string;
  client: Client;
  /** The errors that were logged. */
  errors: unknown[];
  /** What was logged at debug, without fields that are not set. */
  lines: Record<string, unknown>[];
  stop(): Promise<void>;
}

const adminKey = 'k'.repeat(32);

/** Opens the real transports before an engine that knows these verbs alone. */
export async function startTransport(
  verbs: Partial<Engine>,
  timeouts?: Timeouts,
  observer?: Observer,
): Promise<TestTransport> {
  const errors: unknown[] = [];
  const lines: Record<string, unknown>[] = [];
  const ignore = () => {};
  const logger: Logger = {
    debug: (fields, msg) => lines.push(JSON.parse(JSON.stringify({ ...fields, msg }))),
    info: ignore,
    warn: ignore,
    error: (fields) => errors.push('err' in fields ? fields.err : fields),
  };
  const authenticate: Engine['authenticate'] = ({ secret }) => (secret === adminKey ? adminAccess : null);
  const engine = new Proxy<Partial<Engine>>(
    { authenticate, admit: () => null, ...verbs },
    {
      get: (known, verb) => known[verb as keyof Engine] ?? (() => Promise.reject(new Error(`no ${String(verb)}`))),
    },
  ) as Engine;
  const byteBudget = new ByteBudget({ bytesMax: fairUseDefaults.trafficBytes });
  const settings = { http: { host: '127.0.0.1', port: 0 } };
  const [transport] = createTransports({ engine, logger, observer, byteBudget, settings, timeouts });
  const url = await transport.start();
  const client = createClient(url, adminKey, await callWitness(url));
  return {
    url,
    client,
    errors,
    lines,
    stop: () => transport.stop(),
  };
}

/** Resolves when the engine was told that the caller has gone. */
export function departed(signal: CallerSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve();
    else signal.addEventListener('abort', resolve, { once: true });
  });
}

/** The head of a request with the key, for tests that write to the socket themselves. */
export function requestHead(path: string): string {
  return `POST ${path} HTTP/1.1\r\nHost: test\r\nAuthorization: Bearer ${adminKey}\r\nContent-Length: 0\r\n\r\n`;
}

/** What a receive answers; what it brought counts as lost when the transport says so. */
export function makeAnswer(messages: readonly ReceivedMessage[] = [], lost: () => void = () => {}): ReceiveAnswer {
  return { messages, acknowledged: [], lost };
}

export function makeReceived(overrides: Partial<ReceivedMessage> = {}): ReceivedMessage {
  return {
    id: 'id-1',
    sequence: 1,
    receipt: 'receipt-1',
    attempt: 1,
    body: Buffer.from('<a/>'),
    contentType: 'application/xml',
    attributes: null,
    orderingKey: null,
    publishedAt: new Date(0),
    visibleUntil: new Date(30_000),
    ...overrides,
  };
}
