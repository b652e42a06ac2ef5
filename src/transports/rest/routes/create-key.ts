// POST /v1/keys: makes a key. The answer is the only place that ever has its text.

import { parseBody } from '../../http/requests.ts';
import { keyAnswer } from '../answers.ts';
import { newKey } from '../schemas/key-answers.ts';
import { keyBody } from '../schemas/keys.ts';
import { location } from '../schemas/parameters.ts';
import type { OperationDescription, Route } from './route.ts';

const describe: OperationDescription = {
  id: 'createKey',
  tag: 'Keys',
  summary: 'Make a key',
  description:
    'The answer is the only place where the key is ever shown. When it is lost, nobody knows the key: revoke it, and make ' +
    'another. A client may have several keys at once, which is how they are rotated.',
  body: { json: keyBody, required: true },
  answers: { 201: { description: 'It is made.', headers: location, json: newKey } },
  problems: [],
};

export const createKey: Route = {
  method: 'POST',
  url: '/v1/keys',
  operation: 'createKey',
  describe,
  handle: async (request, reply, { engine }) => {
    const wanted = parseBody(request, keyBody);
    const { apiKey, key } = await engine.createKey({ ...wanted, caller: request.caller });
    reply.code(201).header('location', `/v1/keys/${apiKey.keyId}`);
    return { ...keyAnswer(apiKey), key };
  },
};
