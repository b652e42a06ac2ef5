// pg-boss: a job queue as a library on PostgreSQL. There is no HTTP in its figures and no service
// between it and its caller: its calls are made in the load generator's process, and that is where
// its processor time is counted.

import { fileURLToPath } from 'node:url';
import type { Peer } from '../peer.ts';

export const pgBoss: Peer = {
  name: 'pg-boss',
  summary:
    'a library without HTTP: insert, fetch and complete in batches, called in the load generator itself; no ledger',
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
