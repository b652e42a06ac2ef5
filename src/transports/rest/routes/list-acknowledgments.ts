// GET /v1/subscriptions/{subscription}/acknowledgments: a page of the ledger in order of ack_no.

import { parseQuery } from '../../http/requests.ts';
import { acknowledgmentAnswer } from '../answers.ts';
import { parseName } from '../requests.ts';
import { acknowledgmentsQuery } from '../schemas/pages.ts';
import { acknowledgmentPage } from '../schemas/record-answers.ts';
import type { OperationDescription, Route } from './route.ts';

const describe: OperationDescription = {
  id: 'listAcknowledgments',
  tag: 'Records',
  summary: 'Read the ledger',
  description: 'A page in order of `ack_no`. Also for deleted subscriptions.',
  answers: { 200: { description: 'A page.', json: acknowledgmentPage } },
  problems: ['subscription_not_found'],
};

export const listAcknowledgments: Route = {
  method: 'GET',
  url: '/v1/subscriptions/:subscription/acknowledgments',
  operation: 'listAcknowledgments',
  query: acknowledgmentsQuery,
  describe,
  handle: async (request, _reply, { engine }) => {
    const subscription = parseName(request, 'subscription');
    const page = parseQuery(request, acknowledgmentsQuery);
    const { acknowledgments, next } = await engine.listAcknowledgments({ subscription, ...page });
    return { acknowledgments: acknowledgments.map(acknowledgmentAnswer), next };
  },
};
