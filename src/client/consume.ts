// The consumer loop: one long poll at a time asks for as many messages as there are hands free,
// each message goes to the handler, and what was handled is signed for with the next poll, or at
// once where a poll is parked already. Leases are extended as long as messages are in hand. Nothing
// is signed for before its handler has ended well; what a crash leaves behind comes again when its
// visibility timeout ends.

import { chooseDelayMs, pause, type RetrySettings } from './backoff.ts';
import type { CallOptions } from './calls.ts';
import { isTemporary, Rejection } from './errors.ts';
import { createHoldings, type Holding } from './holdings.ts';
import type { MessageCalls } from './message-calls.ts';
import { createSignatures, type Signature } from './signatures.ts';
import type { ConsumerError, ReceivedMessage } from './types.ts';

/** What the handler may say of a message that it handled; nothing is as good. */
export interface Handled {
  /** A transaction number of the consumer's own, kept in the ledger; at most 256 characters. */
  readonly reference?: string;
}

export interface HandlerContext {
  /**
   * Aborted when the work is in vain: the message went to somebody else, or was given back at the
   * shutdown.
   */
  readonly signal: AbortSignal;
}

/** Something went wrong, and the loop goes on; only `consume` itself rejecting ends it. */
export interface ConsumeFault {
  readonly during: 'receive' | 'handler' | 'acknowledge' | 'extend' | 'release' | 'reject';
  readonly error: unknown;
  /** The message that it was about, where it was about one. */
  readonly message?: ReceivedMessage;
}

export interface ConsumeOptions {
  readonly subscription: string;
  /**
   * Does the work. When it returns, the message is acknowledged; when it throws a Rejection, the
   * message becomes a dead letter; when it throws anything else, the message is released as a
   * failed attempt. It may see a message again, with the same id, and has to bear that.
   */
  readonly handler: (
    message: ReceivedMessage,
    context: HandlerContext,
    // biome-ignore lint/suspicious/noConfusingVoidType: most handlers return nothing
  ) => Promise<Handled | undefined | void> | Handled | undefined | void;
  /** Ends the loop in order: no new messages, those in hand are finished or released. */
  readonly signal?: AbortSignal;
  /** Messages in work at the same time; default 1. */
  readonly concurrency?: number;
  /** How long a poll waits; default 20, at most 30. */
  readonly waitSeconds?: number;
  /**
   * How soon messages go to somebody else when this process dies; it is extended while they are in
   * hand. Default 30.
   */
  readonly visibilityTimeoutSeconds?: number;
  /**
   * How long handlers under way may go on after the signal; what is unfinished then is released.
   * Default 10.
   */
  readonly shutdownSeconds?: number;
  /** Told of everything that went wrong; meant for logging. */
  readonly onError?: (fault: ConsumeFault) => void;
}

const MESSAGES_MAX = 1000;
/** The shutdown goes on without an answer. */
const WITHDRAW_MS = 5000;
const ERROR_CODE_CHARACTERS_MAX = 128;
const ERROR_MESSAGE_CHARACTERS_MAX = 2048;
const defaults = { concurrency: 1, waitSeconds: 20, visibilityTimeoutSeconds: 30, shutdownSeconds: 10 };
const backoff: RetrySettings = { attemptsMax: Number.POSITIVE_INFINITY, minDelayMs: 250, maxDelayMs: 30_000 };

/**
 * Runs until the signal is aborted and the shutdown is done; rejects when the service refuses the
 * receive for good.
 */
export async function consume(calls: MessageCalls, options: ConsumeOptions): Promise<void> {
  const { subscription, concurrency, waitSeconds, visibilityTimeoutSeconds, ...rest } = { ...defaults, ...options };
  const stop = rest.signal ?? new AbortController().signal;
  if (!(concurrency >= 1)) throw new RangeError(`concurrency must be at least 1; it is ${concurrency}`);
  const report = createReport(rest.onError);
  const holdings = createHoldings({ calls, subscription, visibilityTimeoutSeconds, report });
  const signatures = createSignatures({ calls, subscription, holdings, report });
  const hands = createHands(concurrency, stop);
  let polling = false;
  // A poll whose answer was lost is asked again by its key, and gets the messages that the answer
  // held.
  let idempotencyKey = crypto.randomUUID();

  const work = async (holding: Holding) => {
    await handle(calls, { subscription, handler: rest.handler, holding, report, sign: signatures.add });
    if (holding.state === 'settled') holdings.drop(holding);
    // The next poll would come too late for it, or not at all.
    if (polling || stop.aborted) signatures.flush();
  };
  const receive = (wanted: { waitSeconds: number; acknowledge: readonly Signature[] }, given: CallOptions) => {
    const request = { ...wanted, maxMessages: Math.min(hands.free(), MESSAGES_MAX), visibilityTimeoutSeconds };
    return calls.receive(subscription, request, { ...given, attemptsMax: 1, idempotencyKey });
  };
  const poll = async () => {
    const acknowledge = signatures.take();
    polling = true;
    try {
      const answer = await receive({ waitSeconds, acknowledge }, { signal: stop });
      idempotencyKey = crypto.randomUUID();
      signatures.learn(acknowledge, answer.acknowledged);
      for (const message of answer.messages) void hands.use(() => work(holdings.add(message)));
    } catch (error) {
      signatures.putBack(acknowledge);
      if (stop.aborted) await withdraw();
      throw error;
    } finally {
      polling = false;
    }
  };
  // The service may not have seen yet that the poll is gone, and would hand it what is given back
  // now. Asking again with its key takes its place, and brings what it may have been handed
  // already.
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
    await repeat(poll, { hands, stop, report });
  } finally {
    await hands.idle(rest.shutdownSeconds * 1000);
    await holdings.giveBack();
    await signatures.finish();
    holdings.stop();
  }
}

interface RepeatRooms {
  readonly hands: Hands;
  readonly stop: AbortSignal;
  readonly report: (fault: ConsumeFault) => void;
}

/**
 * Polls whenever a hand is free, until the signal; after a failure not before a while. Throws what
 * waiting cannot mend.
 */
async function repeat(poll: () => Promise<void>, { hands, stop, report }: RepeatRooms): Promise<void> {
  let failures = 0;
  for (;;) {
    await hands.someFree();
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

/** Hands one message to the handler and does what its end asks for. Never throws. */
async function handle(calls: MessageCalls, { subscription, handler, holding, report, sign }: HandleRequest) {
  const { message } = holding;
  try {
    const handled = await handler(message, { signal: holding.signal });
    // Given back meanwhile: the receipt is spent, and the message is somebody else's.
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

/** In the bounds of the API. */
function describe(thrown: unknown): ConsumerError {
  const code = thrown instanceof Rejection ? thrown.code : thrown instanceof Error ? thrown.name : 'Error';
  const message = (thrown instanceof Error ? thrown.message : String(thrown)).toWellFormed().replaceAll('\0', '');
  return {
    code: code.slice(0, ERROR_CODE_CHARACTERS_MAX) || 'Error',
    ...(message !== '' && { message: message.slice(0, ERROR_MESSAGE_CHARACTERS_MAX).toWellFormed() }),
  };
}

interface Hands {
  free(): number;
  /** Resolves when at least one is free, or the signal is aborted. */
  someFree(): Promise<void>;
  use(work: () => Promise<void>): Promise<void>;
  /** Resolves when all are free, or after the time. */
  idle(ms: number): Promise<void>;
}

function createHands(concurrency: number, stop: AbortSignal): Hands {
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

/** A hook that throws is a fault of its own, told to the process and not to the loop. */
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
