// POST /v1/topics/{topic}/messages: publishes all the messages of the list, or none.

import { publishAnswer } from '../answers.ts';
import { parseBody, parseName, refuseIdempotencyKey } from '../requests.ts';
import { publishBody } from '../schemas/messages.ts';
import type { Route } from './route.ts';

export const publish: Route = (app, { engine }) => {
  app.post('/v1/topics/:topic/messages', { config: { operation: 'publish' } }, async (request, reply) => {
    const topic = parseName(request, 'topic');
    refuseIdempotencyKey(request);
    const { messages } = parseBody(request, publishBody);
    const published = await engine.publish({ topic, messages, caller: request.caller });
    return reply.code(201).send(publishAnswer(published));
  });
};
