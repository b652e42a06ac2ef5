// POST /v1/subscriptions/{subscription}/release: gives messages back, for another attempt at once or later.

import { sendSettled, settledAnswer } from '../answers.ts';
import { parseBody, parseName } from '../requests.ts';
import { releaseBody } from '../schemas/consuming.ts';
import type { Route } from './route.ts';

export const release: Route = (app, { engine }) => {
  app.post('/v1/subscriptions/:subscription/release', { config: { operation: 'release' } }, async (request, reply) => {
    const subscription = parseName(request, 'subscription');
    const wanted = parseBody(request, releaseBody);
    const settled = await engine.release({ subscription, ...wanted, caller: request.caller });
    return sendSettled(reply, settled, settledAnswer);
  });
};
