// POST /v1/subscriptions/{subscription}/acknowledge: signs for messages; each row of the ledger is written once.

import { createAcknowledgedAnswer, sendSettled } from '../answers.ts';
import { parseBody, parseName } from '../requests.ts';
import { acknowledgeBody } from '../schemas/consuming.ts';
import type { Route } from './route.ts';

export const acknowledge: Route = (app, { engine }) => {
  app.post(
    '/v1/subscriptions/:subscription/acknowledge',
    { config: { operation: 'acknowledge' } },
    async (request, reply) => {
      const subscription = parseName(request, 'subscription');
      const wanted = parseBody(request, acknowledgeBody);
      const settled = await engine.acknowledge({ subscription, ...wanted, caller: request.caller });
      return sendSettled(reply, settled, createAcknowledgedAnswer());
    },
  );
};
