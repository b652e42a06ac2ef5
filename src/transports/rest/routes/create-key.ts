// POST /v1/keys: makes a key. The answer is the only place where its text is ever shown.

import { keyAnswer } from '../answers.ts';
import { parseBody } from '../requests.ts';
import { keyBody } from '../schemas/keys.ts';
import type { Route } from './route.ts';

export const createKey: Route = (app, { engine }) => {
  app.post('/v1/keys', { config: { operation: 'createKey' } }, async (request, reply) => {
    const wanted = parseBody(request, keyBody);
    const { apiKey, key } = await engine.createKey({ ...wanted, caller: request.caller });
    reply.code(201).header('location', `/v1/keys/${apiKey.keyId}`);
    return { ...keyAnswer(apiKey), key };
  });
};
