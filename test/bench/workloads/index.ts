// The workloads, in the order in which they run.

import { backlog } from './backlog.ts';
import { fanOut } from './fan-out.ts';
import { growth } from './growth.ts';
import { heldSnapshot } from './held-snapshot.ts';
import { lifecycle } from './lifecycle.ts';
import { noisy } from './noisy.ts';
import { parked } from './parked.ts';
import { returning } from './returning.ts';
import { shapeVariants } from './shape-variants.ts';
import { soak } from './soak.ts';
import { twoInstances } from './two-instances.ts';
import { wakeup } from './wakeup.ts';
import type { Workload } from './workload.ts';

export const workloads: readonly Workload[] = [
  lifecycle,
  shapeVariants,
  fanOut,
  heldSnapshot,
  wakeup,
  parked,
  backlog,
  returning,
  noisy,
  twoInstances,
  growth,
  soak,
];
