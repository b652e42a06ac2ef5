// GET /v1/topics: a page of those that the caller may see, in order of name.

import { visibleNames } from '../../../domain/access.ts';
import { parseQuery } from '../../http/requests.ts';
import { accessOf } from '../../http/transport.ts';
import { topicAnswer } from '../answers.ts';
import { topicPage } from '../schemas/directory-answers.ts';
import { namePageQuery } from '../schemas/pages.ts';
import type { OperationDescription, Route } from './route.ts';

const describe: OperationDescription = {
  id: 'listTopics',
  tag: 'Topics',
  summary: 'List topics',
  description: 'A page of those that the key may read, in order of name.',
  answers: { 200: { description: 'A page.', json: topicPage } },
  problems: [],
};

export const listTopics: Route = {
  method: 'GET',
  url: '/v1/topics',
  operation: 'listTopics',
  query: namePageQuery,
  describe,
  handle: async (request, _reply, { engine }) => {
    const page = parseQuery(request, namePageQuery);
    const scopes = visibleNames(accessOf(request), 'listTopics');
    const { topics, next, hasMore } = await engine.listTopics({ ...page, scopes });
    return { topics: topics.map(topicAnswer), next, has_more: hasMore };
  },
};
