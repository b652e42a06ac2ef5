// POST /v1/subscriptions/{subscription}/acknowledge: signs for messages; each row of the ledger is
// written once.

import { parseBody } from '../../http/requests.ts';
import { createAcknowledgedAnswer, sendSettled } from '../answers.ts';
import { parseName } from '../requests.ts';
import { acknowledgeBody } from '../schemas/consuming.ts';
import { acknowledgeAnswer } from '../schemas/message-answers.ts';
import { acknowledgeProblem, acknowledgeProblemExample } from '../schemas/problems.ts';
import type { OperationDescription, Route } from './route.ts';

const describe: OperationDescription = {
  id: 'acknowledge',
  tag: 'Settle',
  summary: 'Acknowledge messages',
  description: 'Signs for messages. Each acknowledgment is a row of the ledger, written once and never changed.',
  body: { json: acknowledgeBody, required: true },
  answers: { 200: { description: 'At least one is ok; `failed` counts the others.', json: acknowledgeAnswer } },
  problems: ['subscription_not_found', 'nothing_settled', 'atomic_refused'],
  detailedProblems: {
    nothing_settled: { schema: acknowledgeProblem, example: acknowledgeProblemExample },
    atomic_refused: { schema: acknowledgeProblem, example: acknowledgeProblemExample },
  },
};

export const acknowledge: Route = {
  method: 'POST',
  url: '/v1/subscriptions/:subscription/acknowledge',
  operation: 'acknowledge',
  whenFull: 'usesReserve',
  describe,
  handle: async (request, reply, { engine }) => {
    const subscription = parseName(request, 'subscription');
    const wanted = parseBody(request, acknowledgeBody);
    const { caller, access } = request;
    const settled = await engine.acknowledge({ subscription, ...wanted, caller, keyId: access?.keyId });
    return sendSettled(reply, settled, createAcknowledgedAnswer());
  },
};
