// The rate of a key, as HTTP tells it: what is left in the RateLimit fields of each answer, and 429 with Retry-After for a
// call that came too early. The fields are those of draft-ietf-httpapi-ratelimit-headers-10, one policy named "key".

import type { FastifyReply } from 'fastify';
import type { Access } from '../../domain/access.ts';
import { WillcallError } from '../../domain/errors.ts';
import type { Engine } from '../../engine/index.ts';

/** Counts the call. To be asked before anything of the request is read but its head. Throws `rate_limited`. */
export function countCall(reply: FastifyReply, access: Access, engine: Pick<Engine, 'admit'>): void {
  const allowance = engine.admit(access);
  if (allowance === null) return;
  const { admitted, quota, windowSeconds, remaining, resetSeconds, retryAfterSeconds } = allowance;
  reply.header('ratelimit-policy', `"key";q=${quota};w=${windowSeconds}`);
  reply.header('ratelimit', `"key";r=${remaining};t=${resetSeconds}`);
  if (admitted) return;
  throw new WillcallError(
    'rate_limited',
    `The key has made ${quota} calls faster than it may: make the next one in ${retryAfterSeconds} s.`,
    { retryAfterSeconds },
  );
}
