// POST /v1/subscriptions/{subscription}/receive: leases messages, waiting for some when there are
// none.

import { openAnswerOf } from '../../http/open-answers.ts';
import { parseBody } from '../../http/requests.ts';
import { receiveAnswer } from '../answers.ts';
import { parseName, readIdempotencyKey } from '../requests.ts';
import { receiveBody } from '../schemas/consuming.ts';
import { received } from '../schemas/message-answers.ts';
import { REPEATED, repeatableHeaders } from '../schemas/parameters.ts';
import type { OperationDescription, Route } from './route.ts';

const describe: OperationDescription = {
  id: 'receive',
  tag: 'Receive',
  summary: 'Receive messages',
  description:
    'Messages that are due for another delivery come first, then the log in order. When there is no ' +
    'message, the call waits. When a receipt in `acknowledge` is not ok, it answers at once. When the ' +
    'client disconnects while the call waits, nothing is leased to it.\n\n' +
    REPEATED,
  headers: repeatableHeaders,
  body: { json: receiveBody, required: false },
  answers: { 200: { description: 'Messages; an empty list when there was none in time.', json: received } },
  problems: ['subscription_not_found', 'too_many_receives'],
};

export const receive: Route = {
  method: 'POST',
  url: '/v1/subscriptions/:subscription/receive',
  operation: 'receive',
  describe,
  handle: async (request, _reply, { engine }) => {
    const subscription = parseName(request, 'subscription');
    const idempotencyKey = readIdempotencyKey(request);
    const wanted = parseBody(request, receiveBody);
    const { caller, access } = request;
    const open = openAnswerOf(request);
    const answer = await engine.receive({
      subscription,
      ...wanted,
      idempotencyKey,
      caller,
      keyId: access?.keyId,
      signal: open.signal,
    });
    open.ifLost(answer.lost);
    return receiveAnswer(answer);
  },
};
