// GET /v1/subscriptions/{subscription}: its settings, and where it stands.

import { statsAnswer, subscriptionAnswer } from '../answers.ts';
import { parseName } from '../requests.ts';
import type { Route } from './route.ts';

export const getSubscription: Route = (app, { engine }) => {
  app.get('/v1/subscriptions/:subscription', { config: { operation: 'getSubscription' } }, async (request) => {
    const { subscription, stats } = await engine.getSubscription(parseName(request, 'subscription'));
    return { ...subscriptionAnswer(subscription), stats: statsAnswer(stats) };
  });
};
