// fauxqs: Amazon SQS's protocol in one Node process, in memory. It promises nothing across a crash
// and keeps no ledger, so it is what a durable service has to be measured against from below.

import { fileURLToPath } from 'node:url';
import type { Peer } from '../peer.ts';

export const fauxqs: Peer = {
  name: 'fauxqs',
  summary:
    'an SQS emulator on Fastify, in memory, nothing durable, no ledger; ten messages per call, so 100 are ten calls',
  needsPackages: true,
  worksInGenerator: false,
  needsDatabase: false,
  canWait: true,
  canExpire: true,
  isWillcall: false,
  instancesMax: 1,
  command: () => ({
    script: fileURLToPath(new URL('server.ts', import.meta.url)),
    env: {},
    readyPattern: /^listening on (http:\/\/\S+)/,
  }),
  target: (url) => ({ client: new URL('client.ts', import.meta.url).href, url, headers: {} }),
};
