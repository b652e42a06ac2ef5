// What a request and its answer hold while they are on their way, counted in the budget of the instance: from the moment it
// is known whose request it is until the last byte of the answer went to the operating system.

import type { FastifyReply, FastifyRequest } from 'fastify';
import type { Held, Traffic } from '../../engine/fair-use/byte-budget.ts';

declare module 'fastify' {
  interface FastifyRequest {
    /** Null where the request is not counted, or not yet. */
    held: Held | null;
  }
  interface FastifyContextConfig {
    /** What the route does when the budget is used up; without this, it refuses. */
    whenFull?: WhenFull;
  }
}

/** `goesOn`: what it does makes room, so it may use the reserve. `answers`: it is small, and asked for by those who watch. */
export type WhenFull = 'goesOn' | 'answers';

const NOBODY = '';

/** Counts the request from now on. Throws `overloaded` or `too_much_traffic`. */
export function enterTraffic(request: FastifyRequest, traffic: Pick<Traffic, 'enter'>): void {
  const { whenFull, open } = request.routeOptions.config;
  if (whenFull === 'answers') return;
  const holder = open === true ? NOBODY : (request.access?.keyId ?? null);
  request.held = traffic.enter(holder, { makesRoom: whenFull === 'goesOn' });
  request.answer?.hold(request.held);
}

/** Counts what is about to be written. */
export function addAnswer(request: FastifyRequest, reply: FastifyReply, payload: unknown): void {
  request.held?.add(sizeOf(payload, reply));
}

/** A stream says how long it is in the header. */
function sizeOf(payload: unknown, reply: FastifyReply): number {
  if (typeof payload === 'string') return Buffer.byteLength(payload);
  if (payload instanceof Uint8Array) return payload.byteLength;
  return Number(reply.getHeader('content-length') ?? 0);
}
