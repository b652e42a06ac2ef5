// GET /v1/acknowledgments: acknowledgments out of all ledgers that the key covers.

import { visibleNames } from '../../../domain/access.ts';
import { parseQuery } from '../../http/requests.ts';
import { accessOf } from '../../http/transport.ts';
import { acknowledgmentAnswer } from '../answers.ts';
import { acknowledgmentsSearch } from '../schemas/pages.ts';
import { acknowledgmentSearchPage } from '../schemas/record-answers.ts';
import type { OperationDescription, Route } from './route.ts';

const describe: OperationDescription = {
  id: 'queryAcknowledgments',
  tag: 'Records',
  summary: 'Search all ledgers',
  description:
    'Acknowledgments of all subscriptions that the key covers, deleted ones included: by time, client, key, reference, ' +
    'digest of the body, topic or message. A call looks at so many rows at most, so a page may be short, or empty, while ' +
    '`has_more` is true. By `reference` and by `message_id` it finds without looking at others.',
  answers: { 200: { description: 'A page.', json: acknowledgmentSearchPage } },
  problems: [],
};

export const queryAcknowledgments: Route = {
  method: 'GET',
  url: '/v1/acknowledgments',
  operation: 'queryAcknowledgments',
  query: acknowledgmentsSearch,
  describe,
  handle: async (request, _reply, { engine }) => {
    const search = parseQuery(request, acknowledgmentsSearch);
    const scopes = visibleNames(accessOf(request), 'queryAcknowledgments');
    const { acknowledgments, next, hasMore } = await engine.queryAcknowledgments({ ...search, scopes });
    return { acknowledgments: acknowledgments.map(acknowledgmentAnswer), next, has_more: hasMore };
  },
};
