// The floor: what HTTP alone costs. Same Fastify, same bodies in and out, nothing behind them.

import { fileURLToPath } from 'node:url';
import type { Peer } from '../peer.ts';

export const noop: Peer = {
  name: 'noop',
  summary: 'the floor: a Fastify route that parses and answers the same bodies and touches nothing',
  needsDatabase: false,
  needsPackages: false,
  worksInGenerator: false,
  canWait: false,
  canExpire: false,
  isWillcall: false,
  instancesMax: 1,
  command: () => ({
    script: fileURLToPath(new URL('server.ts', import.meta.url)),
    env: {},
    readyPattern: /^listening on (http:\/\/\S+)/,
  }),
  target: (url) => ({ client: new URL('../../load/http-queue-client.ts', import.meta.url).href, url, headers: {} }),
};
