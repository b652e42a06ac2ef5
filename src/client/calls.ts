// One HTTP call over fetch: sends JSON, reads JSON, and repeats the call where that is safe.
// Every failure becomes a WillcallClientError. A call that is not repeatable is repeated only when
// it certainly had no effect.

import { chooseDelayMs, pause, type RetrySettings } from './backoff.ts';
import { isTemporary, isUndone, type Problem, WillcallClientError } from './errors.ts';
import { fromWire, toWire } from './names.ts';

export interface CallSettings {
  /** Where the service is, as `https://willcall.example.org`; a path before `/v1` may follow. */
  readonly url: string;
  readonly key: string;
  readonly fetch: typeof fetch;
  readonly retry: RetrySettings;
  /** Time limit of one attempt, in addition to `waitSeconds`. */
  readonly timeoutMs: number;
}

/** What every call takes beside its own arguments. */
export interface CallOptions {
  /** Cancels the call; it then rejects with the signal's reason. */
  readonly signal?: AbortSignal | undefined;
  /** The most attempts, where repeating is safe. */
  readonly attemptsMax?: number | undefined;
}

export interface Call {
  readonly method: 'GET' | 'PUT' | 'PATCH' | 'POST' | 'DELETE';
  /** Parts of the path after `/v1`, each a name. */
  readonly path: readonly string[];
  readonly query?: object;
  readonly body?: unknown;
  readonly idempotencyKey?: string;
  /** How long the service itself may wait. */
  readonly waitSeconds?: number;
  /** True when making the call twice has the effect of making it once. */
  readonly repeatable: boolean;
}

/** Makes a call and returns its answer in camelCase; throws WillcallClientError. */
export type Caller = (call: Call, options?: CallOptions) => Promise<unknown>;

export function createCaller(settings: CallSettings): Caller {
  return async (call, options = {}) => {
    const retry = { ...settings.retry, ...(options.attemptsMax && { attemptsMax: options.attemptsMax }) };
    for (let attempt = 1; ; attempt += 1) {
      try {
        return await send(settings, call, options.signal);
      } catch (error) {
        // An earlier attempt, whose answer was lost, has deleted it.
        if (attempt > 1 && call.method === 'DELETE' && isNotFound(error)) return undefined;
        if (attempt >= retry.attemptsMax || !isTemporary(error)) throw error;
        if (!call.repeatable && !isUndone(error)) throw error;
        await pause(chooseDelayMs(attempt, error.retryAfterSeconds, retry), options.signal);
      }
      options.signal?.throwIfAborted();
    }
  };
}

async function send(settings: CallSettings, call: Call, signal: AbortSignal | undefined): Promise<unknown> {
  const deadline = AbortSignal.timeout(settings.timeoutMs + (call.waitSeconds ?? 0) * 1000);
  const { response, text } = await exchange(settings, call, signal, deadline).catch((error: unknown) => {
    signal?.throwIfAborted();
    if (deadline.aborted) {
      throw new WillcallClientError('timed_out', 'The service did not answer in time.', { cause: error });
    }
    // The message of fetch is only "fetch failed"; the reason is in its cause.
    const cause = error instanceof Error ? (error.cause ?? error) : error;
    const reason = cause instanceof Error ? cause.message : String(cause);
    throw new WillcallClientError('connection_failed', `The service was not reached: ${reason}`, { cause });
  });
  const json = parseJson(text);
  if (!response.ok) throw describeRefusal(response, json);
  if (text !== '' && json === undefined) {
    const { status } = response;
    throw new WillcallClientError('unexpected_answer', `The answer (${status}) is not JSON: is it Willcall's?`, {
      status,
    });
  }
  return fromWire(json);
}

async function exchange(
  { url, key, fetch }: CallSettings,
  { method, path, query, body, idempotencyKey }: Call,
  signal: AbortSignal | undefined,
  deadline: AbortSignal,
) {
  const response = await fetch(`${url}/v1/${path.map(encodeURIComponent).join('/')}${writeQuery(query)}`, {
    method,
    headers: {
      authorization: `Bearer ${key}`,
      ...(body !== undefined && { 'content-type': 'application/json' }),
      ...(idempotencyKey !== undefined && { 'idempotency-key': idempotencyKey }),
    },
    ...(body !== undefined && { body: JSON.stringify(toWire(body)) }),
    redirect: 'manual',
    signal: signal === undefined ? deadline : AbortSignal.any([signal, deadline]),
  });
  return { response, text: await response.text() };
}

function writeQuery(query: object = {}): string {
  const given = Object.entries(toWire(query) as object).filter(([, value]) => value !== undefined);
  const text = new URLSearchParams(given.map(([name, value]): [string, string] => [name, String(value)])).toString();
  return text === '' ? '' : `?${text}`;
}

function describeRefusal(response: Response, json: unknown): WillcallClientError {
  const { status } = response;
  const retryAfterSeconds = readRetryAfter(response.headers.get('retry-after'));
  if (isProblem(json)) {
    const message = `${json.title}: ${json.detail}`;
    return new WillcallClientError(json.code, message, { status, problem: json, retryAfterSeconds });
  }
  const message = `The answer (${status}) is not a problem document: a proxy may have sent it.`;
  return new WillcallClientError('unexpected_answer', message, { status, retryAfterSeconds });
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

function isProblem(json: unknown): json is Problem {
  return typeof json === 'object' && json !== null && 'code' in json && typeof json.code === 'string';
}

function isNotFound(error: unknown): boolean {
  return error instanceof WillcallClientError && error.status === 404;
}

/** Seconds, or a date (RFC 9110, section 10.2.3), which a proxy may have written. */
function readRetryAfter(header: string | null): number | undefined {
  if (header === null) return undefined;
  if (/^\d{1,9}$/.test(header)) return Number(header);
  const at = Date.parse(header);
  return Number.isNaN(at) ? undefined : Math.max(0, (at - Date.now()) / 1000);
}
