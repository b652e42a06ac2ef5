// Requests that match no operation: 405 with the methods that the path knows, or 404.

import type { FastifyInstance } from 'fastify';
import { HttpFault } from './faults.ts';

/** The methods of every route by its path, collected as the routes are registered. */
export type MethodsByUrl = ReadonlyMap<string, ReadonlySet<string>>;

/** Collects the routes of every scope; to be called before any is registered. */
export function collectMethods(app: FastifyInstance): MethodsByUrl {
  const methodsByUrl = new Map<string, Set<string>>();
  app.addHook('onRoute', ({ url, method }) => {
    const methods = methodsByUrl.get(url) ?? new Set();
    for (const each of [method].flat()) methods.add(each);
    methodsByUrl.set(url, methods);
  });
  return methodsByUrl;
}

/** Answers in this scope what no route does. */
export function addNotFoundHandler(scope: FastifyInstance, methodsByUrl: MethodsByUrl): void {
  scope.setNotFoundHandler((request) => {
    const path = request.url.split('?', 1)[0] ?? '';
    for (const [url, methods] of methodsByUrl) {
      if (!matches(url, path)) continue;
      const allowed = [...methods].sort().join(', ');
      throw new HttpFault('method_not_allowed', `${request.method} is not done here: use ${allowed}.`, {
        allow: allowed,
      });
    }
    throw new HttpFault('not_found', 'There is nothing at this path: check its spelling and the version, /v1.');
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
