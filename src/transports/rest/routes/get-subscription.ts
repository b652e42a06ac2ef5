// GET /v1/subscriptions/{subscription}: its settings, and where it stands.

import { statsAnswer, subscriptionAnswer } from '../answers.ts';
import { parseName } from '../requests.ts';
import { subscriptionWithStats } from '../schemas/directory-answers.ts';
import type { OperationDescription, Route } from './route.ts';

const describe: OperationDescription = {
  id: 'getSubscription',
  tag: 'Subscriptions',
  summary: 'Get a subscription',
  description: 'Its settings and its state.',
  answers: { 200: { description: 'The subscription.', json: subscriptionWithStats } },
  problems: ['subscription_not_found'],
};

export const getSubscription: Route = {
  method: 'GET',
  url: '/v1/subscriptions/:subscription',
  operation: 'getSubscription',
  describe,
  handle: async (request, _reply, { engine }) => {
    const { subscription, stats } = await engine.getSubscription(parseName(request, 'subscription'));
    return { ...subscriptionAnswer(subscription), stats: statsAnswer(stats) };
  },
};
