// GET /docs: the description of this API for people, one page that loads nothing from anywhere.

import { pageHeaders } from '../schemas/parameters.ts';
import type { OperationDescription, Route } from './route.ts';

const describe: OperationDescription = {
  id: 'showReference',
  tag: 'Service',
  summary: 'Read this description',
  description: 'The same document as a page for people. It has no scripts and loads nothing.',
  answers: {
    200: {
      description: 'The page.',
      headers: pageHeaders,
      bytes: { mediaType: 'text/html', example: '<!doctype html><html lang="en">…</html>' },
    },
  },
  problems: [],
};

export const showReference: Route = {
  method: 'GET',
  url: '/docs',
  open: true,
  describe,
  handle: async (_request, reply, { reference }) =>
    reply
      .header('content-security-policy', reference.contentSecurityPolicy)
      .type('text/html; charset=utf-8')
      .send(reference.html),
};
