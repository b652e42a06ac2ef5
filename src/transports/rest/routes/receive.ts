// POST /v1/subscriptions/{subscription}/receive: leases messages, waiting for some when there are none.

import { receiveAnswer } from '../answers.ts';
import { handBack, watchAnswer } from '../hang-up.ts';
import { parseBody, parseName, readIdempotencyKey } from '../requests.ts';
import { receiveBody } from '../schemas/consuming.ts';
import type { Route } from './route.ts';

export const receive: Route = (app, { engine, logger }) => {
  app.post('/v1/subscriptions/:subscription/receive', { config: { operation: 'receive' } }, async (request, reply) => {
    const subscription = parseName(request, 'subscription');
    const idempotencyKey = readIdempotencyKey(request);
    const wanted = parseBody(request, receiveBody);
    const { caller, access } = request;
    const { signal, ifLost } = watchAnswer(request.raw, reply.raw);
    const answer = await engine.receive({
      subscription,
      ...wanted,
      idempotencyKey,
      caller,
      keyId: access?.keyId,
      signal,
    });
    // With a key the client asks again, and its receipts stay good.
    if (idempotencyKey === undefined)
      ifLost(() => void handBack({ engine, logger, subscription, messages: answer.messages, caller }));
    return receiveAnswer(answer);
  });
};
