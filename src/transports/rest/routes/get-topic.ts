// GET /v1/topics/{topic}: its settings.

import { topicAnswer } from '../answers.ts';
import { sendTagged } from '../conditional.ts';
import { parseName } from '../requests.ts';
import { topic } from '../schemas/directory-answers.ts';
import { conditionHeaders, taggedHeaders } from '../schemas/parameters.ts';
import type { OperationDescription, Route } from './route.ts';

const describe: OperationDescription = {
  id: 'getTopic',
  tag: 'Topics',
  summary: 'Get a topic',
  description: 'Its settings.',
  headers: conditionHeaders,
  answers: {
    200: { description: 'The topic.', headers: taggedHeaders, json: topic },
    304: { description: 'The client has these settings.', headers: taggedHeaders },
  },
  problems: ['topic_not_found'],
};

export const getTopic: Route = {
  method: 'GET',
  url: '/v1/topics/:topic',
  operation: 'getTopic',
  describe,
  handle: async (request, reply, { engine }) =>
    sendTagged(reply, topicAnswer(await engine.getTopic(parseName(request, 'topic')))),
};
