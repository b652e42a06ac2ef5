// POST /v1/subscriptions/{subscription}/receive/raw: one message as the answer's body; 204 when none came.

import { handBack, watchAnswer } from '../hang-up.ts';
import { addOutcomes, sendRawMessage } from '../raw-messages.ts';
import { parseBody, parseName, readIdempotencyKey } from '../requests.ts';
import { receiveRawBody } from '../schemas/consuming.ts';
import type { Route } from './route.ts';

export const receiveRaw: Route = (app, { engine, logger }) => {
  app.post(
    '/v1/subscriptions/:subscription/receive/raw',
    { config: { operation: 'receive' } },
    async (request, reply) => {
      const subscription = parseName(request, 'subscription');
      const idempotencyKey = readIdempotencyKey(request);
      const wanted = parseBody(request, receiveRawBody);
      const { caller, access } = request;
      const { signal, ifLost } = watchAnswer(request.raw, reply.raw);
      const { messages, acknowledged } = await engine.receive({
        subscription,
        ...wanted,
        idempotencyKey,
        caller,
        keyId: access?.keyId,
        signal,
      });
      // With a key the client asks again, and its receipts stay good.
      if (idempotencyKey === undefined) ifLost(() => void handBack({ engine, logger, subscription, messages, caller }));
      addOutcomes(reply, acknowledged);
      const [message] = messages;
      return message === undefined ? reply.code(204).send() : sendRawMessage(reply, message);
    },
  );
};
