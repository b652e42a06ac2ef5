// GET /v1/ledgers/{ledger}: the subscription with this id, living or deleted, and where it stands.

import { ledgerAnswer } from '../answers.ts';
import { identifiedLedger } from '../ledgers.ts';
import { recordedSubscription } from '../schemas/directory-answers.ts';
import type { OperationDescription, Route } from './route.ts';

const describe: OperationDescription = {
  id: 'getLedger',
  tag: 'Records',
  summary: 'Get a subscription by its id',
  description: 'Living or deleted, with its settings, who deleted it and when, and where it stands.',
  answers: { 200: { description: 'The subscription.', json: recordedSubscription } },
  problems: ['ledger_not_found'],
};

export const getLedger: Route = {
  method: 'GET',
  url: '/v1/ledgers/:ledger',
  operation: 'readLedger',
  describe,
  handle: async (request, _reply, { engine }) => {
    const { ledger } = await identifiedLedger(request, engine, 'getSubscription');
    return ledgerAnswer(await engine.getRecorded(ledger));
  },
};
