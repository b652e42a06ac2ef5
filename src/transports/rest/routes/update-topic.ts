// PATCH /v1/topics/{topic}: changes the settings that are named and leaves the others.

import { parseBody } from '../../http/requests.ts';
import { callerOf } from '../../http/transport.ts';
import { topicAnswer } from '../answers.ts';
import { parseName } from '../requests.ts';
import { topic } from '../schemas/directory-answers.ts';
import { topicChanges } from '../schemas/settings.ts';
import type { OperationDescription, Route } from './route.ts';

const describe: OperationDescription = {
  id: 'updateTopic',
  tag: 'Topics',
  summary: 'Change a topic',
  description: 'Changes the settings that are given and keeps the others.',
  body: { json: topicChanges, required: true },
  answers: { 200: { description: 'The topic after the change.', json: topic } },
  problems: ['topic_not_found'],
};

export const updateTopic: Route = {
  method: 'PATCH',
  url: '/v1/topics/:topic',
  operation: 'updateTopic',
  describe,
  handle: async (request, _reply, { engine }) => {
    const name = parseName(request, 'topic');
    const settings = parseBody(request, topicChanges);
    return topicAnswer(await engine.updateTopic({ name, settings, ...callerOf(request) }));
  },
};
