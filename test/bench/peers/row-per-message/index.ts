// The usual design, written as a competent engineer would: one row per message with a moment from
// which it is visible, claimed by `for update skip locked`, deleted when acknowledged; one
// transaction per request. It keeps a ledger, too, so that it does the same job.

import { fileURLToPath } from 'node:url';
import type { Peer } from '../peer.ts';

/** As many database connections as Willcall has. */
const POOL_SIZE = 10;
const API_KEY = 'row-per-message-bench-key-of-32-characters';

export const rowPerMessage: Peer = {
  name: 'row-per-message',
  summary: 'the usual design: a row per message, visible_at, skip locked, delete on acknowledge, with a ledger',
  needsDatabase: true,
  needsPackages: false,
  worksInGenerator: false,
  canWait: false,
  canExpire: true,
  isWillcall: false,
  instancesMax: 1,
  command: (databaseUrl) => ({
    script: fileURLToPath(new URL('server.ts', import.meta.url)),
    env: { DATABASE_URL: databaseUrl ?? '', POOL_SIZE: String(POOL_SIZE), API_KEY },
    readyPattern: /^listening on (http:\/\/\S+)/,
  }),
  target: (url) => ({
    client: new URL('../../load/http-queue-client.ts', import.meta.url).href,
    url,
    headers: { Authorization: `Bearer ${API_KEY}` },
  }),
};
