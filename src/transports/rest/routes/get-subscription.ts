// GET /v1/subscriptions/{subscription}: its settings, and where it stands.

import { statsAnswer, subscriptionAnswer } from '../answers.ts';
import { sendTagged } from '../conditional.ts';
import { parseName } from '../requests.ts';
import { subscriptionWithStats } from '../schemas/directory-answers.ts';
import { conditionHeaders, taggedHeaders } from '../schemas/parameters.ts';
import type { OperationDescription, Route } from './route.ts';

const describe: OperationDescription = {
  id: 'getSubscription',
  tag: 'Subscriptions',
  summary: 'Get a subscription',
  description: 'Its settings and its state.',
  headers: conditionHeaders,
  answers: {
    200: { description: 'The subscription.', headers: taggedHeaders, json: subscriptionWithStats },
    304: { description: 'The client has these settings.', headers: taggedHeaders },
  },
  problems: ['subscription_not_found'],
};

export const getSubscription: Route = {
  method: 'GET',
  url: '/v1/subscriptions/:subscription',
  operation: 'getSubscription',
  describe,
  handle: async (request, reply, { engine }) => {
    const { subscription, stats } = await engine.getSubscription(parseName(request, 'subscription'));
    return sendTagged(reply, subscriptionAnswer(subscription), { stats: statsAnswer(stats) });
  },
};
