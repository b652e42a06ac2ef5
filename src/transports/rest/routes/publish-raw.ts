// POST /v1/topics/{topic}/messages/raw: publishes the request's body as one message, as it stands.

import { limits } from '../../../domain/limits.ts';
import { publishAnswer } from '../answers.ts';
import { parseRawMessage } from '../raw-messages.ts';
import { parseName } from '../requests.ts';
import type { Route } from './route.ts';

export const publishRaw: Route = (app, { engine }) => {
  app.post(
    '/v1/topics/:topic/messages/raw',
    { bodyLimit: limits.messageBytesMax, config: { operation: 'publish' } },
    async (request, reply) => {
      const topic = parseName(request, 'topic');
      const messages = [parseRawMessage(request)];
      const published = await engine.publish({ topic, messages, caller: request.caller });
      return reply.code(201).send(publishAnswer(published));
    },
  );
};
