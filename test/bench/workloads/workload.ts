// A workload: which systems it can measure, how long it takes, what it does to them, and the tables
// that come of it. One file each, listed in index.ts.

import type { Lab } from '../lab/lab.ts';
import type { Table } from '../lab/table.ts';
import type { Options } from '../options.ts';
import type { Peer } from '../peers/peer.ts';

export interface WorkloadContext {
  readonly lab: Lab;
  readonly options: Options;
  /** Those of the chosen systems that the workload can measure. */
  readonly peers: readonly Peer[];
  /** Tells who waits what is being done. */
  readonly progress: (line: string) => void;
}

export interface WorkloadResult {
  /** Ratios first. */
  readonly tables: readonly Table[];
  /** Everything that was measured, for the JSON file. */
  readonly data: unknown;
  /** Anything that should not have happened, in words; makes the run fail. */
  readonly failures: readonly string[];
}

export interface Workload {
  /** As it stands after `--only`. */
  readonly name: string;
  readonly summary: string;
  /** Takes so long that it has to be asked for: by `--long`, or by name. */
  readonly isLong: boolean;
  canMeasure(peer: Peer): boolean;
  estimateSeconds(options: Options, peers: readonly Peer[]): number;
  run(context: WorkloadContext): Promise<WorkloadResult>;
}
