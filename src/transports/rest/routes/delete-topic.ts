// DELETE /v1/topics/{topic}: deletes the topic and its subscriptions; the ledger stays.

import { callerOf } from '../../http/transport.ts';
import { topicAnswer } from '../answers.ts';
import { readExpectation } from '../conditional.ts';
import { parseName } from '../requests.ts';
import { conditionHeaders } from '../schemas/parameters.ts';
import type { OperationDescription, Route } from './route.ts';

const describe: OperationDescription = {
  id: 'deleteTopic',
  tag: 'Topics',
  summary: 'Delete a topic',
  description:
    'Its subscriptions are deleted too, and messages in flight can no longer be settled. Ledgers and ' +
    'dead letters stay readable under the names of the subscriptions.',
  headers: conditionHeaders,
  answers: { 204: { description: 'Deleted.' } },
  problems: ['topic_not_found'],
};

export const deleteTopic: Route = {
  method: 'DELETE',
  url: '/v1/topics/:topic',
  operation: 'deleteTopic',
  describe,
  handle: async (request, reply, { engine }) => {
    const { caller, keyId } = callerOf(request);
    const expected = readExpectation(request, topicAnswer);
    await engine.deleteTopic(parseName(request, 'topic'), caller, { keyId, expected });
    return reply.code(204).send();
  },
};
