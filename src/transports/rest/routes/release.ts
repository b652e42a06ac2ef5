// POST /v1/subscriptions/{subscription}/release: gives messages back, for another attempt at once
// or later.

import { parseBody } from '../../http/requests.ts';
import { sendSettled, settledAnswer } from '../answers.ts';
import { parseName } from '../requests.ts';
import { releaseBody } from '../schemas/consuming.ts';
import { settleAnswer } from '../schemas/message-answers.ts';
import { settleProblem, settleProblemExample } from '../schemas/problems.ts';
import type { OperationDescription, Route } from './route.ts';

const describe: OperationDescription = {
  id: 'release',
  tag: 'Settle',
  summary: 'Release messages',
  description:
    'Returns messages for redelivery. With an `error` it is a failed attempt, and the message waits ' +
    'for the back-off; without one it can be delivered at once and has not failed. The outcome is ' +
    '`released` also when this was the last attempt and the message is now a dead letter.',
  body: { json: releaseBody, required: true },
  answers: { 200: { description: 'At least one is ok; `failed` counts the others.', json: settleAnswer } },
  problems: ['subscription_not_found', 'nothing_settled'],
  detailedProblems: { nothing_settled: { schema: settleProblem, example: settleProblemExample } },
};

export const release: Route = {
  method: 'POST',
  url: '/v1/subscriptions/:subscription/release',
  operation: 'release',
  whenFull: 'usesReserve',
  describe,
  handle: async (request, reply, { engine }) => {
    const subscription = parseName(request, 'subscription');
    const wanted = parseBody(request, releaseBody);
    const settled = await engine.release({ subscription, ...wanted, caller: request.caller });
    return sendSettled(reply, settled, settledAnswer);
  },
};
