// GET /v1/subscriptions: a page of those that the caller may see, in order of name.

import { visibleNames } from '../../../domain/access.ts';
import { parseQuery } from '../../http/requests.ts';
import { accessOf } from '../../http/transport.ts';
import { subscriptionAnswer } from '../answers.ts';
import { subscriptionPage } from '../schemas/directory-answers.ts';
import { namePageQuery } from '../schemas/pages.ts';
import type { OperationDescription, Route } from './route.ts';

const describe: OperationDescription = {
  id: 'listSubscriptions',
  tag: 'Subscriptions',
  summary: 'List subscriptions',
  description: 'A page of those that the key may read, in order of name.',
  answers: { 200: { description: 'A page.', json: subscriptionPage } },
  problems: [],
};

export const listSubscriptions: Route = {
  method: 'GET',
  url: '/v1/subscriptions',
  operation: 'listSubscriptions',
  query: namePageQuery,
  describe,
  handle: async (request, _reply, { engine }) => {
    const page = parseQuery(request, namePageQuery);
    const scopes = visibleNames(accessOf(request), 'listSubscriptions');
    const { subscriptions, next } = await engine.listSubscriptions({ ...page, scopes });
    return { subscriptions: subscriptions.map(subscriptionAnswer), next };
  },
};
