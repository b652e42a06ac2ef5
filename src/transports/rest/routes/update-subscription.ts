// PATCH /v1/subscriptions/{subscription}: changes the settings that are named and leaves the others.

import { subscriptionAnswer } from '../answers.ts';
import { parseBody, parseName } from '../requests.ts';
import { subscriptionChanges } from '../schemas/settings.ts';
import type { Route } from './route.ts';

export const updateSubscription: Route = (app, { engine }) => {
  app.patch('/v1/subscriptions/:subscription', { config: { operation: 'updateSubscription' } }, async (request) => {
    const name = parseName(request, 'subscription');
    const settings = parseBody(request, subscriptionChanges);
    return subscriptionAnswer(await engine.updateSubscription({ name, settings, caller: request.caller }));
  });
};
