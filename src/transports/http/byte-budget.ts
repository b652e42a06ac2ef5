// What a request and its answer hold in memory, counted in the byte budget of the instance: from
// the moment the caller is known until the last byte of the answer went to the operating system.
// Streams count what they write themselves.

import type { FastifyReply, FastifyRequest } from 'fastify';
import type { ByteBudget, Reservation } from '../../engine/fair-use/byte-budget.ts';

declare module 'fastify' {
  interface FastifyRequest {
    /** Null where the request is not counted, or not yet. */
    reservation: Reservation | null;
  }
  interface FastifyContextConfig {
    /** What the route does when the budget is used up; without this, it refuses. */
    whenFull?: WhenFull;
  }
}

/**
 * `usesReserve`: the call frees memory, so it may use the reserve. `exempt`: it is small, and
 * monitoring depends on it.
 */
export type WhenFull = 'usesReserve' | 'exempt';

const NO_KEY = '';

/** Counts the request from now on. Throws `overloaded` or `too_much_traffic`. */
export function reserveBytes(request: FastifyRequest, byteBudget: Pick<ByteBudget, 'reserve'>): void {
  const { whenFull, open } = request.routeOptions.config;
  if (whenFull === 'exempt') return;
  const owner = open === true || request.is404 ? NO_KEY : (request.access?.keyId ?? null);
  request.reservation = byteBudget.reserve(owner, { usesReserve: whenFull === 'usesReserve' });
  request.answer?.hold(request.reservation);
}

/** Counts what is about to be written. */
export function addAnswer(request: FastifyRequest, reply: FastifyReply, payload: unknown): void {
  request.reservation?.add(sizeOf(payload, reply));
}

/**
 * The length of an answer of a known length stands in its header; a stream has none and counts 0.
 */
function sizeOf(payload: unknown, reply: FastifyReply): number {
  if (typeof payload === 'string') return Buffer.byteLength(payload);
  if (payload instanceof Uint8Array) return payload.byteLength;
  return Number(reply.getHeader('content-length') ?? 0);
}
