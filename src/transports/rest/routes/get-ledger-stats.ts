// GET /v1/ledgers/{ledger}/stats: where the subscription with this id stands, living or deleted.

import { statsAnswer } from '../answers.ts';
import { identifiedLedger } from '../ledgers.ts';
import { subscriptionStats } from '../schemas/directory-answers.ts';
import type { OperationDescription, Route } from './route.ts';

const describe: OperationDescription = {
  id: 'getLedgerStats',
  tag: 'Records',
  summary: 'Get the stats of a subscription by its id',
  description: 'Of a deleted one: what was left in it.',
  answers: { 200: { description: 'Where it stands.', json: subscriptionStats } },
  problems: ['ledger_not_found'],
};

export const getLedgerStats: Route = {
  method: 'GET',
  url: '/v1/ledgers/:ledger/stats',
  operation: 'readLedger',
  describe,
  handle: async (request, _reply, { engine }) => {
    const { ledger } = await identifiedLedger(request, engine, 'getSubscription');
    const { stats } = await engine.getRecorded(ledger);
    return statsAnswer(stats);
  },
};
