// PUT /v1/subscriptions/{subscription}: creates it, or answers 200 where an existing one agrees with what is said.

import { checkAccess } from '../../../domain/access.ts';
import { subscriptionAnswer } from '../answers.ts';
import { accessOf } from '../auth.ts';
import { parseBody, parseName } from '../requests.ts';
import { subscriptionSettings } from '../schemas/settings.ts';
import type { Route } from './route.ts';

export const createSubscription: Route = (app, { engine }) => {
  app.put(
    '/v1/subscriptions/:subscription',
    { config: { operation: 'createSubscription' } },
    async (request, reply) => {
      const name = parseName(request, 'subscription');
      const wanted = parseBody(request, subscriptionSettings);
      checkAccess(accessOf(request), 'subscribeToTopic', { topic: wanted.topic ?? name });
      const { subscription, created } = await engine.createSubscription({ name, ...wanted, caller: request.caller });
      if (created) reply.code(201).header('location', `/v1/subscriptions/${name}`);
      return subscriptionAnswer(subscription);
    },
  );
};
