// The observer as modules receive it: they report work done, and metrics or traces are made of it.
// It is called after the work, from hot paths: it must be quick, and never throw.

import { type ErrorCode, WillcallError } from './errors.ts';

/** How work ended: well, or with a fault of this code. */
export type WorkOutcome = 'ok' | ErrorCode;

/** A call of an engine's verb, over whatever transport. */
export interface CallObservation {
  readonly verb: string;
  readonly outcome: WorkOutcome;
  /** A receive's time includes the time for which it was parked. */
  readonly seconds: number;
  /** Messages published or delivered, or receipts settled; else 1, and 0 after a fault. */
  readonly items: number;
}

/** One statement that did the work of many calls. */
export interface FlushObservation {
  readonly verb: string;
  readonly outcome: WorkOutcome;
  readonly seconds: number;
  /** Topics or subscriptions. */
  readonly groups: number;
  /** Calls. */
  readonly entries: number;
}

/** One run of periodic work. */
export interface TaskObservation {
  readonly task: string;
  readonly outcome: WorkOutcome;
  readonly seconds: number;
  /** What was done, counted by kind. */
  readonly done: Readonly<Record<string, number>>;
}

/** A request that a transport has answered. */
export interface RequestObservation {
  readonly transport: string;
  /** The operation; null where the request named none. */
  readonly operation: string | null;
  /** In the transport's own numbers, such as HTTP's. */
  readonly status: number;
  readonly seconds: number;
}

/** Values that are read when they are asked for. */
export type GaugeName = 'parked_receives' | 'reserved_bytes' | 'database_available';

export interface Observer {
  call(observation: CallObservation): void;
  flush(observation: FlushObservation): void;
  task(observation: TaskObservation): void;
  request(observation: RequestObservation): void;
  /** Registers a gauge; a later one of the same name replaces it. */
  gauge(name: GaugeName, read: () => number): void;
}

function ignore(): void {}

/** Observes nothing. Modules that receive it do not even measure. */
export const silentObserver: Observer = Object.freeze({
  call: ignore,
  flush: ignore,
  task: ignore,
  request: ignore,
  gauge: ignore,
});

/** The outcome of work that threw. */
export function outcomeOf(error: unknown): ErrorCode {
  return error instanceof WillcallError ? error.code : 'internal';
}
