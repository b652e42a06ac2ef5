// Every fault that can be inflicted on a running lab, again and again. What needs a lab of its own
// (a full disk, a failover, an upgrade) is a test of its own beside this folder.

import type { Fault } from './fault.ts';
import { forgetConnections, networkFaults, stallForLong } from './networks.ts';
import { freezeInstance, killEveryInstance, killInstance, restartInstance } from './processes.ts';
import { freezeServer, killBackend, killPostmaster, restartFast, restartImmediately } from './servers.ts';
import {
  cancelStatements,
  endSessions,
  freezeBackend,
  freezeBackendForLong,
  holdAdvisoryLock,
  holdTable,
  loseWakeups,
  useUpConnections,
} from './sessions.ts';

export type { Fault } from './fault.ts';

export const faults: readonly Fault[] = [
  ...[...networkFaults, forgetConnections],
  ...[killInstance, killEveryInstance, freezeInstance, restartInstance],
  ...[killBackend, killPostmaster, freezeServer, restartFast, restartImmediately],
  ...[loseWakeups, endSessions, cancelStatements, freezeBackend, holdAdvisoryLock, holdTable, useUpConnections],
];

/** Those that take their time; not in the tests. */
export const longFaults: readonly Fault[] = [stallForLong, freezeBackendForLong];
