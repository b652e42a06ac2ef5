// Time-outs for clients: for the head of a request, for the whole of it, for the next one, and for
// any byte while a request is under way.

import type { Server } from 'node:http';
import type { Socket } from 'node:net';
import { limits } from '../../domain/limits.ts';
import { answerTimeout } from './client-error.ts';
import type { OpenAnswers } from './open-answers.ts';

export interface Timeouts {
  /** Until the head of a request has arrived. */
  readonly headersMs: number;
  /** Until its body has arrived too; a long poll waits after that. */
  readonly requestMs: number;
  /** Between two requests of a connection. */
  readonly keepAliveMs: number;
  /**
   * Without a byte in either direction while a request is under way: a stalled sender, or a client
   * that does not read its answer. Streams are exempt.
   */
  readonly stallMs: number;
  /** From the stop until connections are cut on which something is still under way. */
  readonly stopMs: number;
}

export const defaultTimeouts: Timeouts = {
  headersMs: 20_000,
  requestMs: 120_000,
  /**
   * Longer than the usual proxy keeps its side open, so that no request arrives on a closed one.
   */
  keepAliveMs: 75_000,
  /** A parked receive is silent for as long as it may wait. */
  stallMs: 2 * limits.waitSecondsMax * 1000,
  /** The process allows itself some more than that (main.ts). */
  stopMs: 8_000,
};

/**
 * How often Node checks for requests that take too long to arrive: often enough for the shortest
 * time.
 */
export function checkingIntervalMs({ headersMs, requestMs }: Timeouts): number {
  return Math.ceil(Math.min(headersMs, requestMs) / 4);
}

/**
 * Ends connections on which nothing moves: with an answer where one is awaited, without where one
 * is half written.
 */
export function endStalled(server: Server, openAnswers: OpenAnswers): void {
  server.on('timeout', (socket: Socket) => {
    if (openAnswers.isStreaming(socket)) return;
    if (openAnswers.isUnanswered(socket)) answerTimeout(socket);
    else socket.destroy();
  });
}
