// Willcall itself, as an operator starts it, called with a client's key: what such a key costs each
// call, its rate counted, belongs to the figures.

import { randomBytes } from 'node:crypto';
import { fileURLToPath } from 'node:url';
import type { Peer } from '../peer.ts';

// One key for all instances of a run; it leaves this process only for its children.
const adminKey = randomBytes(32).toString('base64url');

const RATE_MAX = 100_000;

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
      // The crowd of parked receives shares one key.
      WILLCALL_KEY_PARKED_RECEIVES: '20000',
    },
    readyPattern: /willcall listening on (http:\/\/\S+)/,
  }),
  target: async (url) => ({
    client: new URL('../../load/http-queue-client.ts', import.meta.url).href,
    url,
    headers: { Authorization: `Bearer ${await makeKey(url)}` },
  }),
};

/** A key for everything, with a rate that is counted and never reached. */
async function makeKey(url: string): Promise<string> {
  const answer = await fetch(`${url}/v1/keys`, {
    method: 'POST',
    headers: { Authorization: `Bearer ${adminKey}`, 'Content-Type': 'application/json' },
    body: JSON.stringify({
      client: 'bench',
      roles: [{ role: 'admin', topics: ['*'], subscriptions: ['*'] }],
      requests_per_second: RATE_MAX,
    }),
  });
  if (answer.status !== 201) {
    throw new Error(`no key was made: ${await answer.text()}`);
  }
  return ((await answer.json()) as { key: string }).key;
}
