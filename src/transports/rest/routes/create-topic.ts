// PUT /v1/topics/{topic}: creates it, or answers 200 where an existing one agrees with what is said.

import { topicAnswer } from '../answers.ts';
import { parseBody, parseName } from '../requests.ts';
import { topicSettings } from '../schemas/settings.ts';
import type { Route } from './route.ts';

export const createTopic: Route = (app, { engine }) => {
  app.put('/v1/topics/:topic', { config: { operation: 'createTopic' } }, async (request, reply) => {
    const name = parseName(request, 'topic');
    const settings = parseBody(request, topicSettings);
    const { topic, created } = await engine.createTopic({ name, settings, caller: request.caller });
    if (created) reply.code(201).header('location', `/v1/topics/${name}`);
    return topicAnswer(topic);
  });
};
