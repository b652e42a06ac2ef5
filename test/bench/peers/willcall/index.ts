// Willcall itself, as an operator starts it.

import { randomBytes } from 'node:crypto';
import { fileURLToPath } from 'node:url';
import type { Peer } from '../peer.ts';

// One key for all instances of a run; it leaves this process only for its children.
const adminKey = randomBytes(32).toString('base64url');

export const willcall: Peer = {
  name: 'willcall',
  summary: 'this repository: log, cursor, lease and a ledger of acknowledgments',
  needsDatabase: true,
  needsPackages: false,
  worksInGenerator: false,
  canWait: true,
  canExpire: true,
  isWillcall: true,
  instancesMax: 2,
  command: (databaseUrl) => ({
    script: fileURLToPath(new URL('../../../../src/main.ts', import.meta.url)),
    env: {
      DATABASE_URL: databaseUrl ?? '',
      WILLCALL_PORT: '0',
      WILLCALL_ADMIN_KEY: adminKey,
      WILLCALL_DATA_DIR: 'data',
    },
    readyPattern: /willcall listening on (http:\/\/\S+)/,
  }),
  target: (url) => ({
    client: new URL('../../load/http-queue-client.ts', import.meta.url).href,
    url,
    headers: { Authorization: `Bearer ${adminKey}` },
  }),
};
