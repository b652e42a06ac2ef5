// DELETE /v1/subscriptions/{subscription}: deletes the subscription; the ledger stays.

import { parseName } from '../requests.ts';
import type { Route } from './route.ts';

export const deleteSubscription: Route = (app, { engine }) => {
  app.delete(
    '/v1/subscriptions/:subscription',
    { config: { operation: 'deleteSubscription' } },
    async (request, reply) => {
      await engine.deleteSubscription(parseName(request, 'subscription'), request.caller);
      return reply.code(204).send();
    },
  );
};
