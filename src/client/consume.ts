// The consumer loop: one long poll at a time, handlers up to `concurrency`, leases kept alive.
// A poll asks for as many messages as there are free handlers. Acknowledgments go with the next
// poll, or at once where a poll is already parked. Leases are extended until their messages are
// settled. A message is acknowledged only after its handler has succeeded; after a crash it is
// delivered again when its visibility timeout ends.

import { chooseDelayMs, pause, type RetrySettings } from './backoff.ts';
import type { CallOptions } from './calls.ts';
import { isTemporary, Rejection } from './errors.ts';
import { createHoldings, type Holding } from './holdings.ts';
import type { MessageCalls } from './message-calls.ts';
import { createSignatures, type Signature } from './signatures.ts';
import type { ConsumerError, ReceivedMessage } from './types.ts';

/** What a handler may return about a message that it handled; it may also return nothing. */
export interface Handled {
  /** A transaction number of the consumer's own, kept in the ledger; at most 256 characters. */
  readonly reference?: string;
}

export interface HandlerContext {
  /** Aborted when the message was delivered to another consumer, or released at the shutdown. */
  readonly signal: AbortSignal;
}

/** A failure after which the loop goes on; the loop ends only when `consume` itself rejects. */
export interface ConsumeFault {
  readonly during: 'receive' | 'handler' | 'acknowledge' | 'extend' | 'release' | 'reject';
  readonly error: unknown;
  /** The message concerned, if the failure concerns one. */
  readonly message?: ReceivedMessage;
}

export interface ConsumeOptions {
  readonly subscription: string;
  /**
   * Does the work. When it returns, the message is acknowledged; when it throws a Rejection, the
   * message becomes a dead letter; when it throws anything else, the message is released as a
   * failed attempt. A message may be delivered again, with the same id: handlers are idempotent.
   */
  readonly handler: (
    message: ReceivedMessage,
    context: HandlerContext,
    // biome-ignore lint/suspicious/noConfusingVoidType: most handlers return nothing
  ) => Promise<Handled | undefined | void> | Handled | undefined | void;
  /** Ends the loop in order: no new messages; those already received are handled or released. */
  readonly signal?: AbortSignal;
  /** Handlers that run at the same time; default 1. */
  readonly concurrency?: number;
  /** How long a poll waits; default 20, at most 30. */
  readonly waitSeconds?: number;
  /**
   * How soon messages are delivered to another consumer when this process dies. It is extended
   * until they are settled. Default 30.
   */
  readonly visibilityTimeoutSeconds?: number;
  /**
   * How long running handlers may continue after the signal; then their messages are released.
   * Default 10.
   */
  readonly shutdownSeconds?: number;
  /** Called with every failure; meant for logging. */
  readonly onError?: (fault: ConsumeFault) => void;
}

const MESSAGES_MAX = 1000;
/** Time limit of the receive that withdraws the parked poll; the shutdown goes on without it. */
const WITHDRAW_MS = 5000;
const ERROR_CODE_CHARACTERS_MAX = 128;
const ERROR_MESSAGE_CHARACTERS_MAX = 2048;
const defaults = { concurrency: 1, waitSeconds: 20, visibilityTimeoutSeconds: 30, shutdownSeconds: 10 };
const backoff: RetrySettings = { attemptsMax: Number.POSITIVE_INFINITY, minDelayMs: 250, maxDelayMs: 30_000 };

/**
 * Runs until the signal is aborted and the shutdown is done. Rejects when the service refuses the
 * receive and repeating cannot help (400, 401, 403, 404).
 */
export async function consume(calls: MessageCalls, options: ConsumeOptions): Promise<void> {
  const { subscription, concurrency, waitSeconds, visibilityTimeoutSeconds, ...rest } = { ...defaults, ...options };
  const stop = rest.signal ?? new AbortController().signal;
  if (!(concurrency >= 1)) throw new RangeError(`concurrency must be at least 1; it is ${concurrency}`);
  const report = createReport(rest.onError);
  const holdings = createHoldings({ calls, subscription, visibilityTimeoutSeconds, report });
  const signatures = createSignatures({ calls, subscription, holdings, report });
  const slots = createSlots(concurrency, stop);
  let polling = false;
  // A poll whose answer was lost is repeated with its key, and gets the messages of that answer.
  let idempotencyKey = crypto.randomUUID();

  const work = async (holding: Holding) => {
    await handle(calls, { subscription, handler: rest.handler, holding, report, sign: signatures.add });
    if (holding.state === 'settled') holdings.drop(holding);
    // The next poll would carry the acknowledgment too late, or never.
    if (polling || stop.aborted) signatures.flush();
  };
  const receive = (wanted: { waitSeconds: number; acknowledge: readonly Signature[] }, given: CallOptions) => {
    const request = { ...wanted, maxMessages: Math.min(slots.free(), MESSAGES_MAX), visibilityTimeoutSeconds };
    return calls.receive(subscription, request, { ...given, attemptsMax: 1, idempotencyKey });
  };
  const poll = async () => {
    const acknowledge = signatures.take();
    polling = true;
    try {
      const answer = await receive({ waitSeconds, acknowledge }, { signal: stop });
      idempotencyKey = crypto.randomUUID();
      signatures.learn(acknowledge, answer.acknowledged);
      for (const message of answer.messages) void slots.use(() => work(holdings.add(message)));
    } catch (error) {
      signatures.putBack(acknowledge);
      if (stop.aborted) await withdraw();
      throw error;
    } finally {
      polling = false;
    }
  };
  // The service may not have noticed yet that the poll was cut off, and would deliver to it what is
  // released now. A repetition with its key replaces it, and returns what it may have been given.
  const withdraw = async () => {
    try {
      const { messages } = await receive(
        { waitSeconds: 0, acknowledge: [] },
        { signal: AbortSignal.timeout(WITHDRAW_MS) },
      );
      if (messages.length > 0)
        await calls.release(
          subscription,
          messages.map(({ receipt }) => receipt),
        );
    } catch (error) {
      report({ during: 'release', error });
    }
  };

  try {
    await repeat(poll, { slots, stop, report });
  } finally {
    await slots.idle(rest.shutdownSeconds * 1000);
    await holdings.giveBack();
    await signatures.finish();
    holdings.stop();
  }
}

interface RepeatDeps {
  readonly slots: Slots;
  readonly stop: AbortSignal;
  readonly report: (fault: ConsumeFault) => void;
}

/**
 * Polls whenever a handler is free, until the signal; after a failure it waits for the back-off.
 * Throws errors that are not temporary.
 */
async function repeat(poll: () => Promise<void>, { slots, stop, report }: RepeatDeps): Promise<void> {
  let failures = 0;
  for (;;) {
    await slots.someFree();
    if (stop.aborted) return;
    try {
      await poll();
      failures = 0;
    } catch (error) {
      if (stop.aborted) return;
      if (!isTemporary(error)) throw error;
      failures += 1;
      report({ during: 'receive', error });
      await pause(chooseDelayMs(failures, error.retryAfterSeconds, backoff), stop);
    }
  }
}

interface HandleRequest extends Pick<ConsumeOptions, 'subscription' | 'handler'> {
  readonly holding: Holding;
  readonly report: (fault: ConsumeFault) => void;
  readonly sign: (holding: Holding, reference: string | undefined) => void;
}

/** Calls the handler with one message, then acknowledges, releases or rejects. Never throws. */
async function handle(calls: MessageCalls, { subscription, handler, holding, report, sign }: HandleRequest) {
  const { message } = holding;
  try {
    const handled = await handler(message, { signal: holding.signal });
    // If it was released meanwhile, the receipt is void and another consumer may have the message.
    if (holding.state === 'held') sign(holding, handled?.reference);
  } catch (thrown) {
    if (holding.state !== 'held') return;
    holding.state = 'settled';
    report({ during: 'handler', error: thrown, message });
    const during = thrown instanceof Rejection ? 'reject' : 'release';
    try {
      await calls[during](subscription, [{ receipt: message.receipt, error: describe(thrown) }]);
    } catch (error) {
      report({ during, error, message });
    }
  }
}

/** The error of a release or reject, cut to the limits of the API. */
function describe(thrown: unknown): ConsumerError {
  const code = thrown instanceof Rejection ? thrown.code : thrown instanceof Error ? thrown.name : 'Error';
  const message = (thrown instanceof Error ? thrown.message : String(thrown)).toWellFormed().replaceAll('\0', '');
  return {
    code: code.slice(0, ERROR_CODE_CHARACTERS_MAX) || 'Error',
    ...(message !== '' && { message: message.slice(0, ERROR_MESSAGE_CHARACTERS_MAX).toWellFormed() }),
  };
}

/** The slots in which handlers run; there are `concurrency` of them. */
interface Slots {
  free(): number;
  /** Resolves when at least one is free, or the signal is aborted. */
  someFree(): Promise<void>;
  use(work: () => Promise<void>): Promise<void>;
  /** Resolves when all are free, or after the time. */
  idle(ms: number): Promise<void>;
}

function createSlots(concurrency: number, stop: AbortSignal): Slots {
  let inUse = 0;
  let changed = Promise.withResolvers<void>();
  const change = () => {
    changed.resolve();
    changed = Promise.withResolvers();
  };
  stop.addEventListener('abort', change, { once: true });
  return {
    free: () => concurrency - inUse,
    async someFree() {
      while (inUse >= concurrency && !stop.aborted) await changed.promise;
    },
    async use(work) {
      inUse += 1;
      await work();
      inUse -= 1;
      change();
    },
    async idle(ms) {
      const timeUp = new AbortController();
      const wait = pause(ms, timeUp.signal).then(() => timeUp.abort());
      while (inUse > 0 && !timeUp.signal.aborted) await Promise.race([changed.promise, wait]);
      timeUp.abort();
    },
  };
}

/** An exception of the hook goes to the process as unhandled, and does not end the loop. */
function createReport(onError: ConsumeOptions['onError']): (fault: ConsumeFault) => void {
  return (fault) => {
    try {
      onError?.(fault);
    } catch (error) {
      queueMicrotask(() => {
        throw error;
      });
    }
  };
}
