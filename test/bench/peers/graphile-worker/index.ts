// graphile-worker: a job queue as a library on PostgreSQL. As with pg-boss there is no HTTP in its
// figures, and its processor time is counted in the load generator's process.

import { fileURLToPath } from 'node:url';
import type { Peer } from '../peer.ts';

export const graphileWorker: Peer = {
  name: 'graphile-worker',
  summary:
    'a library without HTTP: its addJobs and the batch statements of its worker, called in the load generator itself; no ledger',
  needsPackages: true,
  worksInGenerator: true,
  needsDatabase: true,
  canWait: false,
  canExpire: false,
  isWillcall: false,
  instancesMax: 1,
  command: (databaseUrl) => ({
    script: fileURLToPath(new URL('server.ts', import.meta.url)),
    env: { DATABASE_URL: databaseUrl ?? '' },
    readyPattern: /^(ready)/,
  }),
  target: (_ready, databaseUrl) => ({
    client: new URL('client.ts', import.meta.url).href,
    url: databaseUrl ?? '',
    headers: {},
  }),
};
