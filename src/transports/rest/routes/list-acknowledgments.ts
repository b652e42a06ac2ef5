// GET /v1/subscriptions/{subscription}/acknowledgments: a page of the ledger in order of ack_no.

import { acknowledgmentAnswer } from '../answers.ts';
import { parseName, parseQuery } from '../requests.ts';
import { acknowledgmentsQuery } from '../schemas/pages.ts';
import type { Route } from './route.ts';

export const listAcknowledgments: Route = (app, { engine }) => {
  app.get(
    '/v1/subscriptions/:subscription/acknowledgments',
    { config: { operation: 'listAcknowledgments', query: true } },
    async (request) => {
      const subscription = parseName(request, 'subscription');
      const page = parseQuery(request, acknowledgmentsQuery);
      const { acknowledgments, next } = await engine.listAcknowledgments({ subscription, ...page });
      return { acknowledgments: acknowledgments.map(acknowledgmentAnswer), next };
    },
  );
};
