// POST /v1/subscriptions/{subscription}/extend: moves the end of leases, counted from now.

import { parseBody } from '../../http/requests.ts';
import { sendSettled, settledAnswer } from '../answers.ts';
import { parseName } from '../requests.ts';
import { extendBody } from '../schemas/consuming.ts';
import { settleAnswer } from '../schemas/message-answers.ts';
import { settleProblem, settleProblemExample } from '../schemas/problems.ts';
import type { OperationDescription, Route } from './route.ts';

const describe: OperationDescription = {
  id: 'extend',
  tag: 'Settle',
  summary: 'Extend the visibility timeout',
  description: 'Sets a new end of the visibility timeout, counted from now. The receipts stay valid.',
  body: { json: extendBody, required: true },
  answers: { 200: { description: 'At least one is ok; `failed` counts the others.', json: settleAnswer } },
  problems: ['subscription_not_found', 'nothing_settled'],
  detailedProblems: { nothing_settled: { schema: settleProblem, example: settleProblemExample } },
};

export const extend: Route = {
  method: 'POST',
  url: '/v1/subscriptions/:subscription/extend',
  operation: 'extend',
  whenFull: 'usesReserve',
  describe,
  handle: async (request, reply, { engine }) => {
    const subscription = parseName(request, 'subscription');
    const wanted = parseBody(request, extendBody);
    const settled = await engine.extend({ subscription, ...wanted, caller: request.caller });
    return sendSettled(reply, settled, settledAnswer);
  },
};
