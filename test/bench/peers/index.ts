// The systems under test. The first is what the others are compared with.

import { fauxqs } from './fauxqs/index.ts';
import { graphileWorker } from './graphile-worker/index.ts';
import { noop } from './noop/index.ts';
import type { Peer } from './peer.ts';
import { pgBoss } from './pg-boss/index.ts';
import { rowPerMessage } from './row-per-message/index.ts';
import { willcall } from './willcall/index.ts';

export const peers: readonly Peer[] = [willcall, rowPerMessage, fauxqs, pgBoss, graphileWorker, noop];
