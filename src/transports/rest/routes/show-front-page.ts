// GET /: what this address is, for people who open it in a browser.

import type { OperationDescription, Route } from './route.ts';

const describe: OperationDescription = {
  id: 'showFrontPage',
  tag: 'Service',
  summary: 'Read what this is',
  description: 'A page for people who open the address in a browser: what answers here, and where the description is.',
  answers: {
    200: {
      description: 'The page.',
      bytes: { mediaType: 'text/html', example: '<!doctype html><html lang="en">…</html>' },
    },
  },
  problems: [],
};

const page = `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>Willcall</title>
</head>
<body>
<main>
<h1>Willcall</h1>
<p>A pull queue for notifications between organisations: messages are published to topics, collected from
subscriptions, and signed for. This is its HTTP API; programs use it with a key.</p>
<ul>
<li><a href="docs">The description of the API</a></li>
<li><a href="openapi.json">The same for programs</a> (OpenAPI)</li>
<li><a href="healthz">Whether the process is alive</a>, and <a href="readyz">whether the service is ready</a></li>
</ul>
<p>A key is made by whoever runs this service.</p>
</main>
</body>
</html>
`;

export const showFrontPage: Route = {
  method: 'GET',
  url: '/',
  open: true,
  describe,
  handle: async (_request, reply) => reply.type('text/html; charset=utf-8').send(page),
};
