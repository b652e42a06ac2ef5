// GET /v1/subscriptions/{subscription}/unacknowledged: messages that were published before a time
// and not acknowledged by then.

import { parseQuery } from '../../http/requests.ts';
import { ledgerPageAnswer, unacknowledgedAnswer } from '../answers.ts';
import { parseName } from '../requests.ts';
import { unacknowledgedQuery } from '../schemas/pages.ts';
import { unacknowledgedPage } from '../schemas/record-answers.ts';
import type { OperationDescription, Route } from './route.ts';

const describe: OperationDescription = {
  id: 'listUnacknowledged',
  tag: 'Records',
  summary: 'List what was not acknowledged by a time',
  description:
    'Messages in the log of the topic that the subscription was to get, in order of sequence. A call looks at so many ' +
    'messages at most, so a page may be short, or empty, while `has_more` is true.',
  answers: { 200: { description: 'A page.', json: unacknowledgedPage } },
  problems: ['subscription_not_found', 'ledger_replaced'],
};

export const listUnacknowledged: Route = {
  method: 'GET',
  url: '/v1/subscriptions/:subscription/unacknowledged',
  operation: 'listUnacknowledged',
  query: unacknowledgedQuery,
  describe,
  handle: async (request, _reply, { engine }) => {
    const subscription = parseName(request, 'subscription');
    const query = parseQuery(request, unacknowledgedQuery);
    const page = await engine.listUnacknowledged({ subscription, ...query });
    const messages = page.messages.map(unacknowledgedAnswer);
    return { ...ledgerPageAnswer(page), messages, complete_from: page.completeFrom };
  },
};
