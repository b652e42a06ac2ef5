// DELETE /v1/keys/{key}: revokes a key, on every instance within a second. Its record stays.

import { parseKeyId } from '../requests.ts';
import type { Route } from './route.ts';

export const revokeKey: Route = (app, { engine }) => {
  app.delete('/v1/keys/:key', { config: { operation: 'revokeKey' } }, async (request, reply) => {
    await engine.revokeKey(parseKeyId(request), request.caller);
    return reply.code(204).send();
  });
};
