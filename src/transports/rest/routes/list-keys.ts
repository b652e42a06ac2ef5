// GET /v1/keys: a page of the keys in the order of their making, revoked and expired ones too.

import { parseQuery } from '../../http/requests.ts';
import { keyAnswer } from '../answers.ts';
import { keyPage } from '../schemas/key-answers.ts';
import { keysQuery } from '../schemas/keys.ts';
import type { OperationDescription, Route } from './route.ts';

const describe: OperationDescription = {
  id: 'listKeys',
  tag: 'Keys',
  summary: 'List keys',
  description: 'A page in order of creation, revoked and expired keys included.',
  answers: { 200: { description: 'A page.', json: keyPage } },
  problems: [],
};

export const listKeys: Route = {
  method: 'GET',
  url: '/v1/keys',
  operation: 'listKeys',
  query: keysQuery,
  describe,
  handle: async (request, _reply, { engine }) => {
    const { keys, next, hasMore } = await engine.listKeys(parseQuery(request, keysQuery));
    return { keys: keys.map(keyAnswer), next, has_more: hasMore };
  },
};
