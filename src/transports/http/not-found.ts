// Requests that match no operation: 405 with the methods that the path knows, or 404.

import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { sendProblem } from '../rest/errors.ts';

/** Answers what no route does. To be called before the routes are registered, for it collects them. */
export function addNotFoundHandler(app: FastifyInstance): void {
  const methodsByUrl = new Map<string, Set<string>>();
  app.addHook('onRoute', ({ url, method }) => {
    const methods = methodsByUrl.get(url) ?? new Set();
    for (const each of [method].flat()) methods.add(each);
    methodsByUrl.set(url, methods);
  });
  app.setNotFoundHandler((request: FastifyRequest, reply: FastifyReply) => {
    const path = request.url.split('?', 1)[0] ?? '';
    for (const [url, methods] of methodsByUrl) {
      if (!matches(url, path)) continue;
      const allowed = [...methods].sort().join(', ');
      reply.header('allow', allowed);
      return sendProblem(reply, 'method_not_allowed', `${request.method} is not done here: use ${allowed}.`);
    }
    return sendProblem(reply, 'not_found', 'There is nothing at this path: check its spelling and the version, /v1.');
  });
}

function matches(url: string, path: string): boolean {
  const expected = url.split('/');
  const given = path.split('/');
  return (
    expected.length === given.length &&
    expected.every((part, index) => (part.startsWith(':') ? given[index] !== '' : part === given[index]))
  );
}
