// GET /v1/topics: a page of them in order of name.

import { topicAnswer } from '../answers.ts';
import { parseQuery } from '../requests.ts';
import { namePageQuery } from '../schemas/pages.ts';
import type { Route } from './route.ts';

export const listTopics: Route = (app, { engine }) => {
  app.get('/v1/topics', { config: { query: true } }, async (request) => {
    const { topics, next } = await engine.listTopics(parseQuery(request, namePageQuery));
    return { topics: topics.map(topicAnswer), next };
  });
};
