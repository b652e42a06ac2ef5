// GET /v1/keys: a page of the keys in the order of their making, revoked and expired ones too.

import { keyAnswer } from '../answers.ts';
import { parseQuery } from '../requests.ts';
import { keysQuery } from '../schemas/keys.ts';
import type { Route } from './route.ts';

export const listKeys: Route = (app, { engine }) => {
  app.get('/v1/keys', { config: { operation: 'listKeys', query: true } }, async (request) => {
    const { keys, next } = await engine.listKeys(parseQuery(request, keysQuery));
    return { keys: keys.map(keyAnswer), next };
  });
};
