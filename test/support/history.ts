// What clients saw: every call with its start, its end, and its answer or error, in the order in
// which this process saw them. Together with what the database holds in the end (history-rows.ts)
// it is a history, which history-check.ts judges.

import { createHash } from 'node:crypto';
import type { ConsumerError, Outcome, SettleVerb } from '../../src/domain/settling.ts';
import type { Engine } from '../../src/engine/index.ts';
import type { ReceiveRequest } from '../../src/engine/receive.ts';
import { newMessage } from './calls.ts';

/**
 * Position in the history: starts and ends share one numbering, so that of any two moments one is
 * the earlier.
 */
export type Tick = number;

interface RecordedCall {
  /** Who called; the engine is told it as the principal. */
  readonly client: string;
  readonly instance: string;
  readonly startedAt: Tick;
  /** Null while it is on its way. */
  endedAt: Tick | null;
  /** What it threw: then nobody knows whether it was done. */
  error: unknown;
}

export interface PublishCall extends RecordedCall {
  readonly verb: 'publish';
  readonly topic: string;
  /** The sha256 of each body, as hex. */
  readonly bodies: readonly string[];
  /** By message; null when it has none. */
  readonly dedupeKeys: readonly (string | null)[];
  answer: readonly RecordedPublish[] | null;
}

export interface RecordedPublish {
  readonly id: string;
  readonly sequence: number | null;
  readonly duplicate: boolean;
}

export interface RecordedMessage {
  readonly id: string;
  readonly sequence: number;
  readonly receipt: string;
  readonly attempt: number;
  readonly body: string;
  /** Milliseconds of the database's clock. */
  readonly visibleUntil: number;
}

export interface ReceiveCall extends RecordedCall {
  readonly verb: 'receive';
  readonly subscription: string;
  readonly maxMessages: number;
  /** Null: the subscription's own. */
  readonly visibilityTimeoutSeconds: number | null;
  /** By which the call may be repeated; null: it may not. */
  readonly idempotencyKey: string | null;
  /** The client hung up before the answer. */
  left: boolean;
  answer: readonly RecordedMessage[] | null;
}

export interface SettleInput {
  readonly receipt: string;
  readonly reference: string | null;
  readonly delaySeconds: number | null;
  readonly error: ConsumerError | null;
}

export interface RecordedResult {
  readonly messageId: string | null;
  readonly outcome: Outcome;
  readonly ackNo: number | null;
  readonly acknowledgedAt: number | null;
  readonly visibleUntil: number | null;
}

export interface SettleCall extends RecordedCall {
  readonly verb: SettleVerb;
  readonly subscription: string;
  readonly atomic: boolean;
  /** Of an extend; null: the subscription's own. */
  readonly visibilityTimeoutSeconds: number | null;
  readonly inputs: readonly SettleInput[];
  /** By input. */
  answer: readonly RecordedResult[] | null;
}

export type Call = PublishCall | ReceiveCall | SettleCall;

/** With a signal that a client over HTTP can be given too. */
export type ClientReceive = ReceiveRequest & { readonly signal: AbortSignal };

export type InputFields = { readonly receipt: string } & Partial<SettleInput>;

/** One client on one instance. Calls that throw are recorded and answer null. */
export interface RecordingClient {
  publish(topic: string, bodies: readonly string[], dedupeKeys?: readonly (string | null)[]): Promise<PublishCall>;
  /** `acknowledge` is recorded as a settle call of its own, which ends when the receive does. */
  receive(
    subscription: string,
    fields: Partial<Omit<ClientReceive, 'subscription' | 'caller'>>,
  ): Promise<{ receive: ReceiveCall; acknowledge: SettleCall | null }>;
  settle(
    verb: SettleVerb,
    subscription: string,
    inputs: readonly InputFields[],
    fields?: { atomic?: boolean; visibilityTimeoutSeconds?: number },
  ): Promise<SettleCall>;
}

export interface Recorder {
  readonly calls: readonly Call[];
  clientOf(engine: Engine, instance: string, client: string): RecordingClient;
  /** Of a client that calls by other ways than an engine's. */
  record(performer: Performer, instance: string, client: string): RecordingClient;
}

type SettleFields = { atomic?: boolean; visibilityTimeoutSeconds?: number };

/** What a recorded client calls; it answers as the service did, or throws. */
export interface Performer {
  publish(call: {
    topic: string;
    bodies: readonly string[];
    dedupeKeys: readonly (string | null)[];
  }): Promise<readonly RecordedPublish[]>;
  receive(
    request: ClientReceive,
  ): Promise<{ messages: readonly RecordedMessage[]; acknowledged: readonly RecordedResult[] }>;
  settle(
    call: Pick<SettleCall, 'verb' | 'subscription' | 'inputs' | 'atomic' | 'visibilityTimeoutSeconds'>,
  ): Promise<readonly RecordedResult[]>;
}

/** Starts an empty history. */
export function createRecorder(): Recorder {
  const calls: Call[] = [];
  let ticks = 0;
  const tick = (): Tick => {
    ticks += 1;
    return ticks;
  };
  const record = (performer: Performer, instance: string, client: string) =>
    createClient({ calls, tick, performer, instance, client });
  return {
    ...{ calls, record },
    clientOf: (engine, instance, client) => record(createEnginePerformer(engine, client), instance, client),
  };
}

interface ClientOptions {
  readonly calls: Call[];
  readonly tick: () => Tick;
  readonly performer: Performer;
  readonly instance: string;
  readonly client: string;
}

function createClient({ calls, tick, performer, instance, client }: ClientOptions): RecordingClient {
  const begin = <C extends Call>(call: Omit<C, keyof RecordedCall | 'answer'>): C => {
    const begun = { ...call, client, instance, startedAt: tick(), endedAt: null, error: null, answer: null };
    calls.push(begun as unknown as C);
    return begun as unknown as C;
  };
  /** Several records of one request begin and end together. */
  const end = async (records: readonly Call[], work: () => Promise<void>): Promise<void> => {
    const failure = await work().then(
      () => null,
      (error: unknown) => error ?? 'unknown',
    );
    const endedAt = tick();
    for (const record of records) Object.assign(record, { endedAt, error: failure });
  };
  const beginSettle = (
    verb: SettleVerb,
    subscription: string,
    inputs: readonly InputFields[],
    fields: SettleFields = {},
  ) =>
    begin<SettleCall>({
      ...{ verb, subscription, inputs: inputs.map(wholeInput), atomic: fields.atomic ?? false },
      visibilityTimeoutSeconds: fields.visibilityTimeoutSeconds ?? null,
    });

  return {
    publish: async (topic, bodies, keys = []) => {
      const dedupeKeys = bodies.map((_, i) => keys[i] ?? null);
      const call = begin<PublishCall>({ verb: 'publish', topic, bodies: bodies.map(digest), dedupeKeys });
      await end([call], async () => {
        call.answer = await performer.publish({ topic, bodies, dedupeKeys });
      });
      return call;
    },

    receive: async (subscription, fields) => {
      const request = toReceiveRequest(subscription, client, fields);
      const receive = begin<ReceiveCall>({
        ...{ verb: 'receive', subscription, maxMessages: request.maxMessages, left: false },
        visibilityTimeoutSeconds: request.visibilityTimeoutSeconds ?? null,
        idempotencyKey: request.idempotencyKey ?? null,
      });
      const acknowledge =
        request.acknowledge.length > 0 ? beginSettle('acknowledge', subscription, request.acknowledge) : null;
      await end(acknowledge === null ? [receive] : [acknowledge, receive], async () => {
        const answer = await performer.receive(request).finally(() => {
          receive.left = request.signal.aborted;
        });
        receive.answer = answer.messages;
        if (acknowledge !== null) acknowledge.answer = answer.acknowledged;
      });
      return { receive, acknowledge };
    },

    settle: async (verb, subscription, inputs, fields = {}) => {
      const call = beginSettle(verb, subscription, inputs, fields);
      await end([call], async () => {
        call.answer = await performer.settle(call);
      });
      return call;
    },
  };
}

function createEnginePerformer(engine: Engine, caller: string): Performer {
  return {
    publish: async ({ topic, bodies, dedupeKeys }) => {
      const messages = bodies.map((body, i) => newMessage(body, { dedupeKey: dedupeKeys[i] ?? null }));
      const published = await engine.publish({ topic, messages, caller });
      return published.map(({ id, sequence, duplicate }) => ({ id, sequence, duplicate }));
    },
    receive: async (request) => {
      const answer = await engine.receive(request);
      const { messages, acknowledged } = answer;
      return { messages: messages.map(toRecordedMessage), acknowledged: acknowledged.map(toRecordedResult) };
    },
    settle: async ({ verb, subscription, inputs, atomic, visibilityTimeoutSeconds }) => {
      const request = {
        ...{ subscription, receipts: inputs, caller },
        ...(visibilityTimeoutSeconds !== null && { visibilityTimeoutSeconds }),
      };
      const answer =
        verb === 'acknowledge' ? await engine.acknowledge({ ...request, atomic }) : await engine[verb](request);
      return answer.results.map(toRecordedResult);
    },
  };
}

/** The sha256 of a body, as hex. */
export function digest(body: string | Buffer): string {
  return createHash('sha256').update(body).digest('hex');
}

function wholeInput(input: InputFields): SettleInput {
  return { reference: null, delaySeconds: null, error: null, ...input };
}

function toReceiveRequest(
  subscription: string,
  caller: string,
  fields: Partial<Omit<ClientReceive, 'subscription' | 'caller'>>,
): ClientReceive {
  return {
    ...{ subscription, caller, maxMessages: 10, maxBytes: 1024 * 1024, waitSeconds: 0, acknowledge: [] },
    signal: new AbortController().signal,
    ...fields,
  };
}

type Answered<Verb extends 'receive' | 'acknowledge'> = Awaited<ReturnType<Engine[Verb]>>;

function toRecordedMessage(message: Answered<'receive'>['messages'][number]): RecordedMessage {
  const { id, sequence, receipt, attempt, body, visibleUntil } = message;
  return { ...{ id, sequence, receipt, attempt }, body: digest(body), visibleUntil: visibleUntil.getTime() };
}

function toRecordedResult(result: Answered<'acknowledge'>['results'][number]): RecordedResult {
  return {
    messageId: result.messageId,
    outcome: result.outcome,
    ackNo: result.ackNo,
    acknowledgedAt: result.acknowledgedAt?.getTime() ?? null,
    visibleUntil: result.visibleUntil?.getTime() ?? null,
  };
}
