// GET /v1/subscriptions: a page of those that the caller may see, in order of name.

import { visibleNames } from '../../../domain/access.ts';
import { subscriptionAnswer } from '../answers.ts';
import { accessOf } from '../auth.ts';
import { parseQuery } from '../requests.ts';
import { namePageQuery } from '../schemas/pages.ts';
import type { Route } from './route.ts';

export const listSubscriptions: Route = (app, { engine }) => {
  app.get('/v1/subscriptions', { config: { operation: 'listSubscriptions', query: true } }, async (request) => {
    const page = parseQuery(request, namePageQuery);
    const scopes = visibleNames(accessOf(request), 'listSubscriptions');
    const { subscriptions, next } = await engine.listSubscriptions({ ...page, scopes });
    return { subscriptions: subscriptions.map(subscriptionAnswer), next };
  });
};
