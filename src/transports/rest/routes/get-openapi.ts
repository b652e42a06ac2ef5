// GET /openapi.json: the description of this API for programs, made once at the start.

import { openApiDocument } from '../schemas/service-answers.ts';
import type { OperationDescription, Route } from './route.ts';

const describe: OperationDescription = {
  id: 'getOpenApi',
  tag: 'Service',
  summary: 'Get this description',
  description: 'The OpenAPI document of the running version.',
  answers: { 200: { description: 'The document.', json: openApiDocument } },
  problems: [],
};

export const getOpenApi: Route = {
  method: 'GET',
  url: '/openapi.json',
  open: true,
  describe,
  handle: async (_request, reply, { reference }) => reply.type('application/json; charset=utf-8').send(reference.json),
};
