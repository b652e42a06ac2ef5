// PATCH /v1/topics/{topic}: changes the settings that are named and leaves the others.

import { parseBody } from '../../http/requests.ts';
import { callerOf } from '../../http/transport.ts';
import { topicAnswer } from '../answers.ts';
import { readExpectation, tagAnswer } from '../conditional.ts';
import { parseName } from '../requests.ts';
import { topic } from '../schemas/directory-answers.ts';
import { conditionHeaders, taggedHeaders } from '../schemas/parameters.ts';
import { topicChanges } from '../schemas/settings.ts';
import type { OperationDescription, Route } from './route.ts';

const describe: OperationDescription = {
  id: 'updateTopic',
  tag: 'Topics',
  summary: 'Change a topic',
  description: 'Changes the settings that are given and keeps the others.',
  headers: conditionHeaders,
  body: { json: topicChanges, required: true },
  answers: { 200: { description: 'The topic after the change.', headers: taggedHeaders, json: topic } },
  problems: ['topic_not_found'],
};

export const updateTopic: Route = {
  method: 'PATCH',
  url: '/v1/topics/:topic',
  operation: 'updateTopic',
  describe,
  handle: async (request, reply, { engine }) => {
    const name = parseName(request, 'topic');
    const settings = parseBody(request, topicChanges);
    const expected = readExpectation(request, topicAnswer);
    const updated = await engine.updateTopic({ name, settings, expected, ...callerOf(request) });
    return tagAnswer(reply, topicAnswer(updated));
  },
};
