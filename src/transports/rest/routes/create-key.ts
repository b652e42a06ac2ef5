// POST /v1/keys: makes a key. The answer is the only place that ever has its text.

import { parseBody } from '../../http/requests.ts';
import { callerOf } from '../../http/transport.ts';
import { keyAnswer } from '../answers.ts';
import { newKey } from '../schemas/key-answers.ts';
import { keyBody } from '../schemas/keys.ts';
import { location } from '../schemas/parameters.ts';
import type { OperationDescription, Route } from './route.ts';

const describe: OperationDescription = {
  id: 'createKey',
  tag: 'Keys',
  summary: 'Create a key',
  description:
    'This answer is the only one that contains the key. When the answer is lost, revoke the key and ' +
    'create another one. A client may have several keys at once, so that they can be rotated.',
  body: { json: keyBody, required: true },
  answers: { 201: { description: 'Created.', headers: location, json: newKey } },
  problems: [],
};

export const createKey: Route = {
  method: 'POST',
  url: '/v1/keys',
  operation: 'createKey',
  describe,
  handle: async (request, reply, { engine }) => {
    const wanted = parseBody(request, keyBody);
    const { apiKey, key } = await engine.createKey({ ...wanted, ...callerOf(request) });
    reply.code(201).header('location', `/v1/keys/${apiKey.keyId}`);
    return { ...keyAnswer(apiKey), key };
  },
};
