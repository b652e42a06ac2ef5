// GET /v1/subscriptions: a page of them in order of name.

import { subscriptionAnswer } from '../answers.ts';
import { parseQuery } from '../requests.ts';
import { namePageQuery } from '../schemas/pages.ts';
import type { Route } from './route.ts';

export const listSubscriptions: Route = (app, { engine }) => {
  app.get('/v1/subscriptions', { config: { query: true } }, async (request) => {
    const { subscriptions, next } = await engine.listSubscriptions(parseQuery(request, namePageQuery));
    return { subscriptions: subscriptions.map(subscriptionAnswer), next };
  });
};
