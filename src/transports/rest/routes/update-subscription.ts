// PATCH /v1/subscriptions/{subscription}: changes the settings that are named and leaves the
// others.

import { parseBody } from '../../http/requests.ts';
import { callerOf } from '../../http/transport.ts';
import { subscriptionAnswer } from '../answers.ts';
import { readExpectation, tagAnswer } from '../conditional.ts';
import { parseName } from '../requests.ts';
import { subscription } from '../schemas/directory-answers.ts';
import { conditionHeaders, taggedHeaders } from '../schemas/parameters.ts';
import { subscriptionChanges } from '../schemas/settings.ts';
import type { OperationDescription, Route } from './route.ts';

const describe: OperationDescription = {
  id: 'updateSubscription',
  tag: 'Subscriptions',
  summary: 'Change a subscription',
  description: 'Changes the settings that are given and keeps the others. `topic` and `start` cannot be changed.',
  headers: conditionHeaders,
  body: { json: subscriptionChanges, required: true },
  answers: { 200: { description: 'The subscription after the change.', headers: taggedHeaders, json: subscription } },
  problems: ['subscription_not_found'],
};

export const updateSubscription: Route = {
  method: 'PATCH',
  url: '/v1/subscriptions/:subscription',
  operation: 'updateSubscription',
  describe,
  handle: async (request, reply, { engine }) => {
    const name = parseName(request, 'subscription');
    const settings = parseBody(request, subscriptionChanges);
    const expected = readExpectation(request, subscriptionAnswer);
    const updated = await engine.updateSubscription({ name, settings, expected, ...callerOf(request) });
    return tagAnswer(reply, subscriptionAnswer(updated));
  },
};
