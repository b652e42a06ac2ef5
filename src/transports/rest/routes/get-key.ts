// GET /v1/keys/{key}: what is known of a key, its secret not among it.

import { keyAnswer } from '../answers.ts';
import { parseKeyId } from '../requests.ts';
import { apiKey } from '../schemas/key-answers.ts';
import type { OperationDescription, Route } from './route.ts';

const describe: OperationDescription = {
  id: 'getKey',
  tag: 'Keys',
  summary: 'Get a key',
  description: 'What is stored about the key, without its secret.',
  answers: { 200: { description: 'The key.', json: apiKey } },
  problems: ['key_not_found'],
};

export const getKey: Route = {
  method: 'GET',
  url: '/v1/keys/:key',
  operation: 'getKey',
  describe,
  handle: async (request, _reply, { engine }) => keyAnswer(await engine.getKey(parseKeyId(request))),
};
