// POST /v1/subscriptions/{subscription}/reject: sets messages aside among the dead letters, now.

import { parseBody } from '../../http/requests.ts';
import { sendSettled, settledAnswer } from '../answers.ts';
import { parseName } from '../requests.ts';
import { rejectBody } from '../schemas/consuming.ts';
import { settleAnswer } from '../schemas/message-answers.ts';
import { settleProblem, settleProblemExample } from '../schemas/problems.ts';
import type { OperationDescription, Route } from './route.ts';

const describe: OperationDescription = {
  id: 'reject',
  tag: 'Settle',
  summary: 'Reject messages',
  description: 'Makes messages dead letters, now.',
  body: { json: rejectBody, required: true },
  answers: { 200: { description: 'At least one is ok; `failed` counts the others.', json: settleAnswer } },
  problems: ['subscription_not_found', 'nothing_settled'],
  detailedProblems: { nothing_settled: { schema: settleProblem, example: settleProblemExample } },
};

export const reject: Route = {
  method: 'POST',
  url: '/v1/subscriptions/:subscription/reject',
  operation: 'reject',
  whenFull: 'usesReserve',
  describe,
  handle: async (request, reply, { engine }) => {
    const subscription = parseName(request, 'subscription');
    const wanted = parseBody(request, rejectBody);
    const settled = await engine.reject({ subscription, ...wanted, caller: request.caller });
    return sendSettled(reply, settled, settledAnswer);
  },
};
