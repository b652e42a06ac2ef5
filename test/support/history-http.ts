// A recording client that calls a whole service over HTTP. An answer counts only when it came whole
// and says what became of the call; everything else, a 503 or a cut connection, leaves open whether
// it was done.

import type { Outcome } from '../../src/domain/settling.ts';
import { type Answer, type Client, createClient, type Published, type Received, type Settled } from './client.ts';
import { digest, type Performer, type RecordedMessage, type RecordedResult } from './history.ts';

/** The service answered that it did not, or does not know: not an answer to what was asked. */
export class RefusedError extends Error {
  readonly status: number;
  readonly code: string;

  constructor({ status, json, bytes }: Answer<unknown>) {
    const code = (json as { code?: string } | undefined)?.code ?? 'none';
    super(`${status} ${code}: ${bytes.toString('utf8').slice(0, 500)}`);
    this.name = 'RefusedError';
    this.status = status;
    this.code = code;
  }
}

/** How long an answer may take beyond what was asked for, before the client gives up. */
const ANSWER_MS_MAX = 6_000;

export interface HttpPerformer extends Performer {
  close(): void;
}

/** Calls the service at `url` with a key of one client. */
export function createHttpPerformer(url: string, key: string): HttpPerformer {
  const client = createClient(url, key);
  return {
    publish: async ({ topic, bodies, dedupeKeys }) => {
      const messages = bodies.map((body, i) => ({ body, ...(dedupeKeys[i] && { dedupe_key: dedupeKeys[i] }) }));
      const path = `/v1/topics/${topic}/messages`;
      return (await call<Published>(client, path, { json: { messages } }, 201)).messages;
    },

    receive: async (request) => {
      const waitSeconds = Math.ceil(request.waitSeconds);
      const json = {
        ...{ max_messages: request.maxMessages, wait_seconds: waitSeconds },
        ...(request.visibilityTimeoutSeconds && { visibility_timeout_seconds: request.visibilityTimeoutSeconds }),
        ...(request.acknowledge.length > 0 && { acknowledge: request.acknowledge.map(acknowledgeEntry) }),
      };
      const headers = request.idempotencyKey ? { 'idempotency-key': request.idempotencyKey } : {};
      const path = `/v1/subscriptions/${request.subscription}/receive`;
      const options = { json, headers, signal: request.signal, waitMs: waitSeconds * 1000 };
      const { messages, acknowledged } = await call<Received>(client, path, options, 200);
      return { messages: messages.map(toMessage), acknowledged: acknowledged.map(toResult) };
    },

    settle: async ({ verb, subscription, inputs, atomic, visibilityTimeoutSeconds }) => {
      const json = {
        receipts: verb === 'acknowledge' ? inputs.map(acknowledgeEntry) : inputs.map(giveBackEntry(verb)),
        ...(atomic && { atomic }),
        ...(verb === 'extend' &&
          visibilityTimeoutSeconds !== null && { visibility_timeout_seconds: visibilityTimeoutSeconds }),
      };
      const path = `/v1/subscriptions/${subscription}/${verb}`;
      return (await call<{ results: Settled[] }>(client, path, { json }, 200, 409)).results.map(toResult);
    },

    close: () => client.close(),
  };
}

interface Asked {
  readonly json: unknown;
  readonly headers?: Record<string, string>;
  readonly signal?: AbortSignal;
  readonly waitMs?: number;
}

async function call<Body>(client: Client, path: string, asked: Asked, ...statuses: number[]): Promise<Body> {
  const patience = AbortSignal.timeout(ANSWER_MS_MAX + (asked.waitMs ?? 0));
  const signal = asked.signal === undefined ? patience : AbortSignal.any([asked.signal, patience]);
  const { json, headers = {} } = asked;
  const answer = await client.call<Body>('POST', path, { json, headers, signal });
  const told = statuses.includes(answer.status) && (answer.status !== 409 || 'results' in (answer.json as object));
  if (!told) throw new RefusedError(answer);
  return answer.json;
}

const acknowledgeEntry = ({ receipt, reference }: { receipt: string; reference?: string | null }) => ({
  receipt,
  ...(reference != null && { reference }),
});

type Entry = Parameters<Performer['settle']>[0]['inputs'][number];

const giveBackEntry =
  (verb: string) =>
  ({ receipt, delaySeconds, error }: Entry) => ({
    receipt,
    ...(verb === 'release' && delaySeconds !== null && { delay_seconds: delaySeconds }),
    ...(verb !== 'extend' && error !== null && { error }),
  });

function toMessage(message: Received['messages'][number]): RecordedMessage {
  const { id, sequence, receipt, attempt } = message;
  const body = digest(Buffer.from(message.body, message.body_encoding === 'base64' ? 'base64' : 'utf8'));
  return { id, sequence, receipt, attempt, body, visibleUntil: Date.parse(message.visible_until) };
}

function toResult(result: Settled): RecordedResult {
  const time = (text: string | null | undefined) => (text == null ? null : Date.parse(text));
  return {
    messageId: result.message_id,
    outcome: result.outcome as Outcome,
    ackNo: result.ack_no ?? null,
    acknowledgedAt: time(result.acknowledged_at),
    visibleUntil: time(result.visible_until),
  };
}
