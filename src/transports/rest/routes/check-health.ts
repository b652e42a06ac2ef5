// GET /healthz: this process answers.

import type { Route } from './route.ts';

export const checkHealth: Route = (app) => {
  app.get('/healthz', { config: { open: true } }, async () => ({ status: 'ok' }));
};
