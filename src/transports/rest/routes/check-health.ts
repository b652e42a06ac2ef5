// GET /healthz: this process answers.

import { health } from '../schemas/service-answers.ts';
import type { OperationDescription, Route } from './route.ts';

const describe: OperationDescription = {
  id: 'checkHealth',
  tag: 'Service',
  summary: 'Is the process alive',
  description: 'Answers as long as the process does, whatever the database is doing.',
  answers: { 200: { description: 'It is.', json: health } },
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
