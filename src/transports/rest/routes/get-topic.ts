// GET /v1/topics/{topic}: its settings.

import { topicAnswer } from '../answers.ts';
import { parseName } from '../requests.ts';
import type { Route } from './route.ts';

export const getTopic: Route = (app, { engine }) => {
  app.get('/v1/topics/:topic', { config: { operation: 'getTopic' } }, async (request) =>
    topicAnswer(await engine.getTopic(parseName(request, 'topic'))),
  );
};
