// GET /v1/journal: a page of the administrative acts, in their order.

import { journalScopes } from '../../../domain/access.ts';
import { parseQuery } from '../../http/requests.ts';
import { accessOf } from '../../http/transport.ts';
import { journalEntryAnswer } from '../answers.ts';
import { journalPage, journalQuery } from '../schemas/journal.ts';
import type { OperationDescription, Route } from './route.ts';

const describe: OperationDescription = {
  id: 'listJournal',
  tag: 'Records',
  summary: 'Read the journal',
  description:
    'A page of the administrative acts, in their order: who created, changed, deleted or revoked what, and when. Shows the ' +
    'entries of the names that the key covers; those of keys take a role for all names. `next` is where to read on, also ' +
    'when `has_more` is false: later acts come after it.',
  answers: { 200: { description: 'A page.', json: journalPage } },
  problems: [],
};

export const listJournal: Route = {
  method: 'GET',
  url: '/v1/journal',
  operation: 'listJournal',
  query: journalQuery,
  describe,
  handle: async (request, _reply, { engine }) => {
    const query = parseQuery(request, journalQuery);
    const { entries, next, hasMore } = await engine.listJournal({ ...query, scopes: journalScopes(accessOf(request)) });
    return { entries: entries.map(journalEntryAnswer), next, has_more: hasMore };
  },
};
