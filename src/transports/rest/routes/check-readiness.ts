// GET /readyz: the database answers too.

import type { Route } from './route.ts';

export const checkReadiness: Route = (app, { engine }) => {
  app.get('/readyz', { config: { open: true } }, async () => {
    await engine.checkReadiness();
    return { status: 'ready' };
  });
};
