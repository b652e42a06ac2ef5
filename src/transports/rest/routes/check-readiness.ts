// GET /readyz: the database answers too.

import { readiness } from '../schemas/service-answers.ts';
import type { OperationDescription, Route } from './route.ts';

const describe: OperationDescription = {
  id: 'checkReadiness',
  tag: 'Service',
  summary: 'Check that the service is ready',
  description: 'Answers 200 when the database is available.',
  answers: { 200: { description: 'The process is alive.', json: readiness } },
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
