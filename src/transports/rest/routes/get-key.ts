// GET /v1/keys/{key}: what is known of a key, its secret not among it.

import { keyAnswer } from '../answers.ts';
import { parseKeyId } from '../requests.ts';
import type { Route } from './route.ts';

export const getKey: Route = (app, { engine }) => {
  app.get('/v1/keys/:key', { config: { operation: 'getKey' } }, async (request) =>
    keyAnswer(await engine.getKey(parseKeyId(request))),
  );
};
