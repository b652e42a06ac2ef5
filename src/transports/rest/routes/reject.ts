// POST /v1/subscriptions/{subscription}/reject: sets messages aside among the dead letters, now.

import { sendSettled, settledAnswer } from '../answers.ts';
import { parseBody, parseName } from '../requests.ts';
import { rejectBody } from '../schemas/consuming.ts';
import type { Route } from './route.ts';

export const reject: Route = (app, { engine }) => {
  app.post('/v1/subscriptions/:subscription/reject', { config: { operation: 'reject' } }, async (request, reply) => {
    const subscription = parseName(request, 'subscription');
    const wanted = parseBody(request, rejectBody);
    const settled = await engine.reject({ subscription, ...wanted, caller: request.caller });
    return sendSettled(reply, settled, settledAnswer);
  });
};
