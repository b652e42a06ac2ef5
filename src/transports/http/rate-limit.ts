// The rate limit of a key in HTTP: what is left stands in the RateLimit fields of each answer, and
// a call that comes too early is answered 429 with Retry-After. The fields are those of
// draft-ietf-httpapi-ratelimit-headers-10, with one policy named "key".

import type { FastifyReply } from 'fastify';
import type { Access } from '../../domain/access.ts';
import { WillcallError } from '../../domain/errors.ts';
import type { Engine } from '../../engine/index.ts';

/**
 * Counts the call; to be called before more than the head of the request is read. Throws
 * `rate_limited`.
 */
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
