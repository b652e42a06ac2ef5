// GET /v1/subscriptions/{subscription}/dead-letters: a page of the open dead letters, the oldest first.

import { deadLetterAnswer } from '../answers.ts';
import { parseName, parseQuery } from '../requests.ts';
import { deadLettersQuery } from '../schemas/pages.ts';
import type { Route } from './route.ts';

export const listDeadLetters: Route = (app, { engine }) => {
  app.get(
    '/v1/subscriptions/:subscription/dead-letters',
    { config: { operation: 'listDeadLetters', query: true } },
    async (request) => {
      const subscription = parseName(request, 'subscription');
      const page = parseQuery(request, deadLettersQuery);
      const { deadLetters, next } = await engine.listDeadLetters({ subscription, ...page });
      return { dead_letters: deadLetters.map(deadLetterAnswer), next };
    },
  );
};
