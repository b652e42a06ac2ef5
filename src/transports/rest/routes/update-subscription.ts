// PATCH /v1/subscriptions/{subscription}: changes the settings that are named and leaves the
// others.

import { parseBody } from '../../http/requests.ts';
import { callerOf } from '../../http/transport.ts';
import { subscriptionAnswer } from '../answers.ts';
import { parseName } from '../requests.ts';
import { subscription } from '../schemas/directory-answers.ts';
import { subscriptionChanges } from '../schemas/settings.ts';
import type { OperationDescription, Route } from './route.ts';

const describe: OperationDescription = {
  id: 'updateSubscription',
  tag: 'Subscriptions',
  summary: 'Change a subscription',
  description: 'Changes the settings that are given and keeps the others. `topic` and `start` cannot be changed.',
  body: { json: subscriptionChanges, required: true },
  answers: { 200: { description: 'The subscription after the change.', json: subscription } },
  problems: ['subscription_not_found'],
};

export const updateSubscription: Route = {
  method: 'PATCH',
  url: '/v1/subscriptions/:subscription',
  operation: 'updateSubscription',
  describe,
  handle: async (request, _reply, { engine }) => {
    const name = parseName(request, 'subscription');
    const settings = parseBody(request, subscriptionChanges);
    return subscriptionAnswer(await engine.updateSubscription({ name, settings, ...callerOf(request) }));
  },
};
