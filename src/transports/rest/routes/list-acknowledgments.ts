// GET /v1/subscriptions/{subscription}/acknowledgments: a page of the ledger in order of ack_no.

import { parseQuery } from '../../http/requests.ts';
import { acknowledgmentAnswer, ledgerPageAnswer } from '../answers.ts';
import { namedLedger } from '../ledgers.ts';
import { acknowledgmentsQuery } from '../schemas/pages.ts';
import { acknowledgmentPage } from '../schemas/record-answers.ts';
import type { OperationDescription, Route } from './route.ts';

const describe: OperationDescription = {
  id: 'listAcknowledgments',
  tag: 'Records',
  summary: 'Read the ledger',
  description:
    'A page in order of `ack_no`. A deleted subscription keeps its ledger: by its name while no other one has the name, and ' +
    'by its id for good. A `consumer` sees that other clients have signed, but neither who nor with which reference.',
  answers: { 200: { description: 'A page.', json: acknowledgmentPage } },
  problems: ['subscription_not_found', 'ledger_replaced'],
};

export const listAcknowledgments: Route = {
  method: 'GET',
  url: '/v1/subscriptions/:subscription/acknowledgments',
  operation: 'listAcknowledgments',
  query: acknowledgmentsQuery,
  describe,
  handle: async (request, _reply, { engine }) => {
    const ledger = namedLedger(request, 'listAcknowledgments');
    const page = await engine.listAcknowledgments({ ...ledger, ...parseQuery(request, acknowledgmentsQuery) });
    return { ...ledgerPageAnswer(page), acknowledgments: page.acknowledgments.map(acknowledgmentAnswer) };
  },
};
