// Conditional calls on topics and subscriptions: the entity tag of one stands for its settings, by
// which a client changes only what it has seen. Statistics change all the time and are no part of
// it.

import type { FastifyReply, FastifyRequest } from 'fastify';
import { WillcallError } from '../../domain/errors.ts';
import type { Expectation } from '../../engine/preconditions.ts';
import { createEntityTag, hasCondition, judgeConditions } from '../http/conditions.ts';

/**
 * What the request expects of the noun, for the engine to judge; undefined where it has no
 * condition.
 */
export function readExpectation<Noun>(
  request: FastifyRequest,
  describe: (noun: Noun) => object,
): Expectation<Noun> | undefined {
  if (!hasCondition(request)) return undefined;
  // A malformed header is refused before anything is looked up.
  judgeConditions(request, null);
  return (current) => {
    const tag = current === null ? null : createEntityTag(describe(current));
    return judgeConditions(request, tag) === 'met';
  };
}

/** Adds the tag of the settings to an answer of a call that has changed or created them. */
export function tagAnswer<Settings extends object>(reply: FastifyReply, settings: Settings): Settings {
  reply.header('etag', createEntityTag(settings));
  return settings;
}

/** Answers a GET: with what there is, or with 304 where the client has it. */
export function sendTagged(reply: FastifyReply, settings: object, more: object = {}): FastifyReply {
  const tag = createEntityTag(settings);
  reply.header('etag', tag);
  const verdict = judgeConditions(reply.request, tag);
  if (verdict === 'not_modified') return reply.code(304).send();
  if (verdict === 'met') return reply.send({ ...settings, ...more });
  throw new WillcallError('precondition_failed', 'It is not what If-Match says: get it again, and decide again.');
}
