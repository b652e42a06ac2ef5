// GET /v1/subscriptions: a page of those that the caller may see, in order of name.

import { checkAccess, visibleNames } from '../../../domain/access.ts';
import { parseQuery } from '../../http/requests.ts';
import { accessOf } from '../../http/transport.ts';
import { deletedSubscriptionAnswer, subscriptionAnswer } from '../answers.ts';
import { subscriptionPage } from '../schemas/directory-answers.ts';
import { subscriptionsQuery } from '../schemas/pages.ts';
import type { OperationDescription, Route } from './route.ts';

const describe: OperationDescription = {
  id: 'listSubscriptions',
  tag: 'Subscriptions',
  summary: 'List subscriptions',
  description:
    'A page of those that the key may read, in order of name. With `deleted=true` those that were deleted, with who deleted ' +
    'them and when; a name may be there several times. Not for a `consumer`.',
  answers: { 200: { description: 'A page.', json: subscriptionPage } },
  problems: [],
};

export const listSubscriptions: Route = {
  method: 'GET',
  url: '/v1/subscriptions',
  operation: 'listSubscriptions',
  query: subscriptionsQuery,
  describe,
  handle: async (request, _reply, { engine }) => {
    const { deleted, ...page } = parseQuery(request, subscriptionsQuery);
    const access = accessOf(request);
    if (deleted === 'true') {
      checkAccess(access, 'listDeletedSubscriptions');
      const scopes = visibleNames(access, 'listDeletedSubscriptions');
      const { subscriptions, next, hasMore } = await engine.listDeletedSubscriptions({ ...page, scopes });
      return { subscriptions: subscriptions.map(deletedSubscriptionAnswer), next, has_more: hasMore };
    }
    const scopes = visibleNames(access, 'listSubscriptions');
    const { subscriptions, next, hasMore } = await engine.listSubscriptions({ ...page, scopes });
    return { subscriptions: subscriptions.map(subscriptionAnswer), next, has_more: hasMore };
  },
};
