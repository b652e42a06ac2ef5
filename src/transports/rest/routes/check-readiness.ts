// GET /readyz: the database answers too.

import { readiness } from '../schemas/service-answers.ts';
import type { OperationDescription, Route } from './route.ts';

const describe: OperationDescription = {
  id: 'checkReadiness',
  tag: 'Service',
  summary: 'Is the service ready',
  description: 'Answers 200 when the database answers too.',
  answers: { 200: { description: 'It is.', json: readiness } },
  problems: ['overloaded', 'database_unavailable', 'database_timeout'],
};

export const checkReadiness: Route = {
  method: 'GET',
  url: '/readyz',
  open: true,
  whenFull: 'exempt',
  describe,
  handle: async (_request, _reply, { engine }) => {
    await engine.checkReadiness();
    return { status: 'ready' };
  },
};
