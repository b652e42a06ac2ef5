// GET /v1/ledgers/{ledger}/dead-letters: a page of the open dead letters of the subscription with
// this id.

import { parseQuery } from '../../http/requests.ts';
import { deadLetterAnswer, ledgerPageAnswer } from '../answers.ts';
import { identifiedLedger } from '../ledgers.ts';
import { deadLettersQuery } from '../schemas/pages.ts';
import { deadLetterPage } from '../schemas/record-answers.ts';
import type { OperationDescription, Route } from './route.ts';

const describe: OperationDescription = {
  id: 'listLedgerDeadLetters',
  tag: 'Records',
  summary: 'Read dead letters by the id of a subscription',
  description: 'A page of the open ones, the oldest first, whatever became of the subscription and of its name.',
  answers: { 200: { description: 'A page.', json: deadLetterPage } },
  problems: ['ledger_not_found'],
};

export const listLedgerDeadLetters: Route = {
  method: 'GET',
  url: '/v1/ledgers/:ledger/dead-letters',
  operation: 'readLedger',
  query: deadLettersQuery,
  describe,
  handle: async (request, _reply, { engine }) => {
    const query = parseQuery(request, deadLettersQuery);
    const ledger = await identifiedLedger(request, engine, 'listDeadLetters');
    const page = await engine.listDeadLetters({ ...ledger, ...query });
    return { ...ledgerPageAnswer(page), dead_letters: page.deadLetters.map(deadLetterAnswer) };
  },
};
