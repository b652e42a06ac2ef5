// Answers under way, from the head of their request until their last byte went to the operating
// system or their connection ended. The listener closes after the last byte of each (Node's own
// closing cuts a connection whose answer was handed over but not yet written out), the reservation
// of a request is released, and work for a client that has gone is aborted. There are thousands
// while receives are parked: one object each, and one listener per connection.

import type { ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import type { FastifyReply, FastifyRequest } from 'fastify';
import type { Reservation } from '../../engine/fair-use/byte-budget.ts';
import { type CallerSignal, LightAbortSignal } from '../../engine/waiting/abort-signal.ts';

declare module 'fastify' {
  interface FastifyRequest {
    /**
     * Null where no hook was run for the request, and where it was refused because the listener
     * stops.
     */
    answer: OpenAnswer | null;
  }
}

/** One answer under way. */
export class OpenAnswer {
  readonly reply: FastifyReply;
  /** On the clock of `performance.now()`. */
  readonly #startedAt = performance.now();
  #state: 'open' | 'written' | 'lost' = 'open';
  #reservation: Reservation | null = null;
  #signal: LightAbortSignal | null = null;
  #onLost: (() => void) | null = null;
  #endStream: (() => void) | null = null;

  constructor(reply: FastifyReply) {
    this.reply = reply;
  }

  /** Aborted when the connection ends before the last byte of the answer was written. */
  get signal(): CallerSignal {
    if (this.#signal === null) {
      this.#signal = new LightAbortSignal();
      if (this.#state === 'lost') this.#signal.abort();
    }
    return this.#signal;
  }

  /** Released when the answer is over. */
  hold(reservation: Reservation): void {
    if (this.#state === 'open') this.#reservation = reservation;
    else reservation.release();
  }

  /** Runs the function once if the answer is lost, at once if it already is. */
  ifLost(run: () => void): void {
    if (this.#state === 'lost') run();
    else this.#onLost = run;
  }

  /** How long it has been under way. */
  get seconds(): number {
    return (performance.now() - this.#startedAt) / 1000;
  }

  /** Whether the connection ended before the last byte was written. */
  get isLost(): boolean {
    return this.#state === 'lost';
  }

  /** Whether the answer has been declared a stream. */
  get isStream(): boolean {
    return this.#endStream !== null;
  }

  /**
   * Declares the answer a stream: from now on it may be silent for as long as it likes. When the
   * listener stops, `end` is called once; the stream then ends in good order, within the time that
   * answers have.
   */
  becomeStream(end: () => void): void {
    this.#endStream = end;
  }

  /** For the listener: ends the answer if it is a stream. */
  endStream(): void {
    if (this.#state === 'open') this.#endStream?.();
  }

  /** For the list of all: the answer was written, or its connection ended before. */
  end(state: 'written' | 'lost'): void {
    this.#state = state;
    this.#reservation?.release();
    this.#reservation = null;
    if (state === 'lost') {
      this.#signal?.abort();
      this.#onLost?.();
    }
    this.#onLost = null;
  }
}

/** The answer to a request that a route handles. */
export function openAnswerOf({ answer }: FastifyRequest): OpenAnswer {
  if (answer === null) throw new Error('The hook that counts answers has not run for this request.');
  return answer;
}

export interface OpenAnswers {
  /** Counts an answer until it is written out or its connection ends. */
  add(reply: FastifyReply): OpenAnswer;
  /**
   * Whether one request of the connection is under way, and nothing of its answer was written yet.
   */
  isUnanswered(socket: Socket): boolean;
  /**
   * Whether an answer would come between those that are under way: several are, or one is half
   * written.
   */
  isAnswering(socket: Socket): boolean;
  /** Whether an answer of the connection is a stream. */
  isStreaming(socket: Socket): boolean;
  /** Asks every stream to end. */
  endStreams(): void;
  /** Resolves as soon as there is none. */
  whenNone(): Promise<void>;
  /** Ends the connections of all. */
  cutAll(): void;
}

/** `onEnd` is called with each answer that is over. */
export function createOpenAnswers(onEnd: (answer: OpenAnswer) => void): OpenAnswers {
  // By connection: of several answers that wait in line on one, only the first is notified of its
  // end.
  const openBySocket = new Map<Socket, OpenAnswer[]>();
  const none = Promise.withResolvers<void>();
  let open = 0;
  let awaited = false;
  const end = (answer: OpenAnswer, state: 'written' | 'lost') => {
    answer.end(state);
    onEnd(answer);
    open -= 1;
    if (awaited && open === 0) none.resolve();
  };
  // Two functions for all connections and answers: one closure each would be most of an answer's
  // memory.
  function onClose(this: Socket): void {
    const lost = openBySocket.get(this) ?? [];
    openBySocket.delete(this);
    for (const answer of lost) end(answer, 'lost');
  }
  function onFinish(this: ServerResponse): void {
    const ofSocket = openBySocket.get(this.req.socket) ?? [];
    const index = ofSocket.findIndex(({ reply }) => reply.raw === this);
    const [answer] = index === -1 ? [] : ofSocket.splice(index, 1);
    if (answer !== undefined) end(answer, 'written');
  }
  const openOn = (socket: Socket): OpenAnswer[] => openBySocket.get(socket) ?? [];
  return {
    add(reply) {
      const { socket } = reply.request.raw;
      const answer = new OpenAnswer(reply);
      open += 1;
      // No event would follow.
      if (socket.destroyed) {
        end(answer, 'lost');
        return answer;
      }
      const known = openBySocket.get(socket);
      if (known !== undefined) {
        known.push(answer);
      } else {
        openBySocket.set(socket, [answer]);
        socket.on('close', onClose);
      }
      reply.raw.on('finish', onFinish);
      return answer;
    },
    isUnanswered(socket) {
      const ofSocket = openOn(socket);
      return ofSocket.length === 1 && ofSocket[0]?.reply.raw.headersSent === false;
    },
    isAnswering(socket) {
      const ofSocket = openOn(socket);
      return ofSocket.length > 1 || ofSocket.some(({ reply }) => reply.raw.headersSent);
    },
    isStreaming(socket) {
      return openOn(socket).some(({ isStream }) => isStream);
    },
    endStreams() {
      for (const answers of [...openBySocket.values()]) for (const answer of [...answers]) answer.endStream();
    },
    whenNone() {
      awaited = true;
      if (open === 0) none.resolve();
      return none.promise;
    },
    cutAll() {
      for (const [socket, answers] of [...openBySocket]) if (answers.length !== 0) socket.destroy();
    },
  };
}
