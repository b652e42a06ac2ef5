// The workloads, in the order in which they run.

import { heldSnapshot } from './held-snapshot.ts';
import { lifecycle } from './lifecycle.ts';
import { wakeup } from './wakeup.ts';
import type { Workload } from './workload.ts';

export const workloads: readonly Workload[] = [lifecycle, heldSnapshot, wakeup];
