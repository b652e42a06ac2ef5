// GET /healthz: this process answers.

import { health } from '../schemas/service-answers.ts';
import type { OperationDescription, Route } from './route.ts';

const describe: OperationDescription = {
  id: 'checkHealth',
  tag: 'Service',
  summary: 'Check that the process is alive',
  description: 'Answers 200 as long as the process runs, whatever the state of the database.',
  answers: { 200: { description: 'The process is alive.', json: health } },
  problems: [],
};

export const checkHealth: Route = {
  method: 'GET',
  url: '/healthz',
  open: true,
  whenFull: 'exempt',
  describe,
  handle: async () => ({ status: 'ok' }),
};
