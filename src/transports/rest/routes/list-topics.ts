// GET /v1/topics: a page of those that the caller may see, in order of name.

import { visibleNames } from '../../../domain/access.ts';
import { topicAnswer } from '../answers.ts';
import { accessOf } from '../auth.ts';
import { parseQuery } from '../requests.ts';
import { namePageQuery } from '../schemas/pages.ts';
import type { Route } from './route.ts';

export const listTopics: Route = (app, { engine }) => {
  app.get('/v1/topics', { config: { operation: 'listTopics', query: true } }, async (request) => {
    const page = parseQuery(request, namePageQuery);
    const scopes = visibleNames(accessOf(request), 'listTopics');
    const { topics, next } = await engine.listTopics({ ...page, scopes });
    return { topics: topics.map(topicAnswer), next };
  });
};
