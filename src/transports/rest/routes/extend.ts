// POST /v1/subscriptions/{subscription}/extend: moves the end of leases, counted from now.

import { sendSettled, settledAnswer } from '../answers.ts';
import { parseBody, parseName } from '../requests.ts';
import { extendBody } from '../schemas/consuming.ts';
import type { Route } from './route.ts';

export const extend: Route = (app, { engine }) => {
  app.post('/v1/subscriptions/:subscription/extend', { config: { operation: 'extend' } }, async (request, reply) => {
    const subscription = parseName(request, 'subscription');
    const wanted = parseBody(request, extendBody);
    const settled = await engine.extend({ subscription, ...wanted, caller: request.caller });
    return sendSettled(reply, settled, settledAnswer);
  });
};
