// GET /v1/subscriptions/{subscription}/dead-letters: a page of the open dead letters, the oldest
// first.

import { parseQuery } from '../../http/requests.ts';
import { deadLetterAnswer, ledgerPageAnswer } from '../answers.ts';
import { namedLedger } from '../ledgers.ts';
import { deadLettersQuery } from '../schemas/pages.ts';
import { deadLetterPage } from '../schemas/record-answers.ts';
import type { OperationDescription, Route } from './route.ts';

const describe: OperationDescription = {
  id: 'listDeadLetters',
  tag: 'Records',
  summary: 'Read the dead letters',
  description:
    'A page of the open dead letters, the oldest first. A deleted subscription keeps them: by its name while no other one ' +
    'has the name, and by its id for good.',
  answers: { 200: { description: 'A page.', json: deadLetterPage } },
  problems: ['subscription_not_found', 'ledger_replaced'],
};

export const listDeadLetters: Route = {
  method: 'GET',
  url: '/v1/subscriptions/:subscription/dead-letters',
  operation: 'listDeadLetters',
  query: deadLettersQuery,
  describe,
  handle: async (request, _reply, { engine }) => {
    const ledger = namedLedger(request, 'listDeadLetters');
    const page = await engine.listDeadLetters({ ...ledger, ...parseQuery(request, deadLettersQuery) });
    return { ...ledgerPageAnswer(page), dead_letters: page.deadLetters.map(deadLetterAnswer) };
  },
};
