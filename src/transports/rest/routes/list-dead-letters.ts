// GET /v1/subscriptions/{subscription}/dead-letters: a page of the open dead letters, the oldest
// first.

import { parseQuery } from '../../http/requests.ts';
import { deadLetterAnswer } from '../answers.ts';
import { parseName } from '../requests.ts';
import { deadLettersQuery } from '../schemas/pages.ts';
import { deadLetterPage } from '../schemas/record-answers.ts';
import type { OperationDescription, Route } from './route.ts';

const describe: OperationDescription = {
  id: 'listDeadLetters',
  tag: 'Records',
  summary: 'Read the dead letters',
  description: 'A page of the open dead letters, the oldest first. Also for deleted subscriptions.',
  answers: { 200: { description: 'A page.', json: deadLetterPage } },
  problems: ['subscription_not_found'],
};

export const listDeadLetters: Route = {
  method: 'GET',
  url: '/v1/subscriptions/:subscription/dead-letters',
  operation: 'listDeadLetters',
  query: deadLettersQuery,
  describe,
  handle: async (request, _reply, { engine }) => {
    const subscription = parseName(request, 'subscription');
    const page = parseQuery(request, deadLettersQuery);
    const { deadLetters, next } = await engine.listDeadLetters({ subscription, ...page });
    return { dead_letters: deadLetters.map(deadLetterAnswer), next };
  },
};
