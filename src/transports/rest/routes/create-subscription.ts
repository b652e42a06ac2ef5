// PUT /v1/subscriptions/{subscription}: creates it, or answers 200 where an existing one agrees
// with what is said.

import { checkAccess } from '../../../domain/access.ts';
import { parseBody } from '../../http/requests.ts';
import { accessOf, callerOf } from '../../http/transport.ts';
import { subscriptionAnswer } from '../answers.ts';
import { readExpectation, tagAnswer } from '../conditional.ts';
import { parseName } from '../requests.ts';
import { subscription } from '../schemas/directory-answers.ts';
import { conditionHeaders, location, taggedHeaders } from '../schemas/parameters.ts';
import { subscriptionSettings } from '../schemas/settings.ts';
import type { OperationDescription, Route } from './route.ts';

const describe: OperationDescription = {
  id: 'createSubscription',
  tag: 'Subscriptions',
  summary: 'Create a subscription',
  description:
    'Without a `topic`, the topic of the same name is used, and created if necessary: a plain queue. ' +
    'Can be repeated: when the subscription exists and every setting given agrees with it, nothing ' +
    'changes. The key needs the role for the topic, too.',
  headers: conditionHeaders,
  body: { json: subscriptionSettings, required: false },
  answers: {
    200: { description: 'It exists with these settings.', headers: taggedHeaders, json: subscription },
    201: { description: 'Created.', headers: location.extend(taggedHeaders.shape), json: subscription },
  },
  problems: ['topic_not_found', 'subscription_conflict'],
};

export const createSubscription: Route = {
  method: 'PUT',
  url: '/v1/subscriptions/:subscription',
  operation: 'createSubscription',
  describe,
  handle: async (request, reply, { engine }) => {
    const name = parseName(request, 'subscription');
    const wanted = parseBody(request, subscriptionSettings);
    checkAccess(accessOf(request), 'subscribeToTopic', { topic: wanted.topic ?? name });
    const { subscription, created } = await engine.createSubscription({
      name,
      ...wanted,
      expected: readExpectation(request, subscriptionAnswer),
      ...callerOf(request),
    });
    if (created) reply.code(201).header('location', `/v1/subscriptions/${name}`);
    return tagAnswer(reply, subscriptionAnswer(subscription));
  },
};
