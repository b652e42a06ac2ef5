// GET /v1/ledgers/{ledger}/acknowledgments: a page of the ledger with this id.

import { parseQuery } from '../../http/requests.ts';
import { acknowledgmentAnswer, ledgerPageAnswer } from '../answers.ts';
import { identifiedLedger } from '../ledgers.ts';
import { acknowledgmentsQuery } from '../schemas/pages.ts';
import { acknowledgmentPage } from '../schemas/record-answers.ts';
import type { OperationDescription, Route } from './route.ts';

const describe: OperationDescription = {
  id: 'listLedgerAcknowledgments',
  tag: 'Records',
  summary: 'Read a ledger by its id',
  description: 'A page of it, in order of `ack_no`, whatever became of the subscription and of its name.',
  answers: { 200: { description: 'A page.', json: acknowledgmentPage } },
  problems: ['ledger_not_found'],
};

export const listLedgerAcknowledgments: Route = {
  method: 'GET',
  url: '/v1/ledgers/:ledger/acknowledgments',
  operation: 'readLedger',
  query: acknowledgmentsQuery,
  describe,
  handle: async (request, _reply, { engine }) => {
    const query = parseQuery(request, acknowledgmentsQuery);
    const ledger = await identifiedLedger(request, engine, 'listAcknowledgments');
    const page = await engine.listAcknowledgments({ ...ledger, ...query });
    return { ...ledgerPageAnswer(page), acknowledgments: page.acknowledgments.map(acknowledgmentAnswer) };
  },
};
