// POST /v1/topics/{topic}/messages: publishes all the messages of the list, or none.

import { parseBody } from '../../http/requests.ts';
import { publishAnswer } from '../answers.ts';
import { parseName, refuseIdempotencyKey } from '../requests.ts';
import { published } from '../schemas/message-answers.ts';
import { publishBody } from '../schemas/messages.ts';
import type { OperationDescription, Route } from './route.ts';

const describe: OperationDescription = {
  id: 'publish',
  tag: 'Publish',
  summary: 'Publish messages',
  description:
    'All of them or none; the answer comes after the commit. After a 503 or a lost connection they may or may not have ' +
    'been published: with a `dedupe_key` each, the call can be repeated safely. It refuses an `Idempotency-Key`, which ' +
    'is for one message.',
  body: { json: publishBody, required: true },
  answers: { 201: { description: 'They are published.', json: published } },
  problems: ['topic_not_found', 'message_too_large', 'idempotency_conflict', 'backlog_full'],
};

export const publish: Route = {
  method: 'POST',
  url: '/v1/topics/:topic/messages',
  operation: 'publish',
  describe,
  handle: async (request, reply, { engine }) => {
    const topic = parseName(request, 'topic');
    refuseIdempotencyKey(request);
    const { messages } = parseBody(request, publishBody);
    const published = await engine.publish({ topic, messages, caller: request.caller });
    return reply.code(201).send(publishAnswer(published));
  },
};
