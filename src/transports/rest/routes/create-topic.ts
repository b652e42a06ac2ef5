// PUT /v1/topics/{topic}: creates it, or answers 200 where an existing one agrees with what is
// said.

import { parseBody } from '../../http/requests.ts';
import { callerOf } from '../../http/transport.ts';
import { topicAnswer } from '../answers.ts';
import { readExpectation, tagAnswer } from '../conditional.ts';
import { parseName } from '../requests.ts';
import { topic } from '../schemas/directory-answers.ts';
import { conditionHeaders, location, taggedHeaders } from '../schemas/parameters.ts';
import { topicSettings } from '../schemas/settings.ts';
import type { OperationDescription, Route } from './route.ts';

const describe: OperationDescription = {
  id: 'createTopic',
  tag: 'Topics',
  summary: 'Create a topic',
  description: 'Can be repeated: when the topic exists and every setting given agrees with it, nothing changes.',
  headers: conditionHeaders,
  body: { json: topicSettings, required: false },
  answers: {
    200: { description: 'It exists with these settings.', headers: taggedHeaders, json: topic },
    201: { description: 'Created.', headers: location.extend(taggedHeaders.shape), json: topic },
  },
  problems: ['topic_conflict'],
};

export const createTopic: Route = {
  method: 'PUT',
  url: '/v1/topics/:topic',
  operation: 'createTopic',
  describe,
  handle: async (request, reply, { engine }) => {
    const name = parseName(request, 'topic');
    const settings = parseBody(request, topicSettings);
    const { topic, created } = await engine.createTopic({
      name,
      settings,
      expected: readExpectation(request, topicAnswer),
      ...callerOf(request),
    });
    if (created) reply.code(201).header('location', `/v1/topics/${name}`);
    return tagAnswer(reply, topicAnswer(topic));
  },
};
