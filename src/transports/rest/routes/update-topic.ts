// PATCH /v1/topics/{topic}: changes the settings that are named and leaves the others.

import { topicAnswer } from '../answers.ts';
import { parseBody, parseName } from '../requests.ts';
import { topicChanges } from '../schemas/settings.ts';
import type { Route } from './route.ts';

export const updateTopic: Route = (app, { engine }) => {
  app.patch('/v1/topics/:topic', { config: { operation: 'updateTopic' } }, async (request) => {
    const name = parseName(request, 'topic');
    const settings = parseBody(request, topicChanges);
    return topicAnswer(await engine.updateTopic({ name, settings, caller: request.caller }));
  });
};
