// DELETE /v1/subscriptions/{subscription}: deletes the subscription; the ledger stays.

import { callerOf } from '../../http/transport.ts';
import { subscriptionAnswer } from '../answers.ts';
import { readExpectation } from '../conditional.ts';
import { parseName } from '../requests.ts';
import { conditionHeaders } from '../schemas/parameters.ts';
import type { OperationDescription, Route } from './route.ts';

const describe: OperationDescription = {
  id: 'deleteSubscription',
  tag: 'Subscriptions',
  summary: 'Delete a subscription',
  description: 'Messages in flight can no longer be settled; the ledger and the dead letters stay readable.',
  headers: conditionHeaders,
  answers: { 204: { description: 'Deleted.' } },
  problems: ['subscription_not_found'],
};

export const deleteSubscription: Route = {
  method: 'DELETE',
  url: '/v1/subscriptions/:subscription',
  operation: 'deleteSubscription',
  describe,
  handle: async (request, reply, { engine }) => {
    const { caller, keyId } = callerOf(request);
    const expected = readExpectation(request, subscriptionAnswer);
    await engine.deleteSubscription(parseName(request, 'subscription'), caller, { keyId, expected });
    return reply.code(204).send();
  },
};
