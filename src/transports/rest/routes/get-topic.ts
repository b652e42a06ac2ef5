// GET /v1/topics/{topic}: its settings.

import { topicAnswer } from '../answers.ts';
import { parseName } from '../requests.ts';
import { topic } from '../schemas/directory-answers.ts';
import type { OperationDescription, Route } from './route.ts';

const describe: OperationDescription = {
  id: 'getTopic',
  tag: 'Topics',
  summary: 'Get a topic',
  description: 'Its settings.',
  answers: { 200: { description: 'The topic.', json: topic } },
  problems: ['topic_not_found'],
};

export const getTopic: Route = {
  method: 'GET',
  url: '/v1/topics/:topic',
  operation: 'getTopic',
  describe,
  handle: async (request, _reply, { engine }) => topicAnswer(await engine.getTopic(parseName(request, 'topic'))),
};
