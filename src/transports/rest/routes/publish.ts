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
    'Publishes all messages or none; the answer is sent after the commit. After a 503 or a lost ' +
    'connection they may or may not have been published: when each has a `dedupe_key`, the call can ' +
    'be repeated safely. An `Idempotency-Key` is refused, because it is for one message.',
  body: { json: publishBody, required: true },
  answers: { 201: { description: 'Published.', json: published } },
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
