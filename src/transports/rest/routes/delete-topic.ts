// DELETE /v1/topics/{topic}: deletes the topic and its subscriptions; the ledger stays.

import { parseName } from '../requests.ts';
import type { Route } from './route.ts';

export const deleteTopic: Route = (app, { engine }) => {
  app.delete('/v1/topics/:topic', { config: { operation: 'deleteTopic' } }, async (request, reply) => {
    await engine.deleteTopic(parseName(request, 'topic'), request.caller);
    return reply.code(204).send();
  });
};
