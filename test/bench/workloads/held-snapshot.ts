// Lifecycles with leases expiring all the while, first freely, then with another connection holding
// a snapshot, so that no dead row can be vacuumed away. The load does not stop when the snapshot is
// opened. One system after the other, each on a new database: a snapshot only holds up its own.

import { medianOf } from '../lab/samples.ts';
import { formatCount, formatPercent, type Table } from '../lab/table.ts';
import { lifecycleCalls } from '../load/windows.ts';
import type { Options } from '../options.ts';
import type { Peer } from '../peers/peer.ts';
import {
  callCell,
  cpuCells,
  cpuColumns,
  failuresOf,
  type LifecycleWindow,
  queueNames,
  rateOf,
  runLifecycles,
} from './shapes.ts';
import type { Workload, WorkloadContext, WorkloadResult } from './workload.ts';

interface Measurement {
  readonly peer: string;
  readonly free: readonly LifecycleWindow[];
  readonly held: readonly LifecycleWindow[];
}

export type SnapshotData = readonly Measurement[];

const BATCH = 10;
/** One receive in twenty is left to expire. */
const ABANDON_EVERY = 20;
const FREE_WINDOWS = 3;
const START_SECONDS = 10;

export const heldSnapshot: Workload = {
  name: 'held-snapshot',
  summary: `lifecycles of ${BATCH} with leases expiring, freely and then while another connection holds a snapshot`,
  isLong: false,
  canMeasure: (peer) => peer.needsDatabase && peer.canExpire,
  estimateSeconds: (options, peers) => {
    const windows = FREE_WINDOWS + heldWindows(options);
    return peers.length * (START_SECONDS + options.warmUpSeconds + windows * options.windowSeconds);
  },
  run: runHeldSnapshot,
};

function heldWindows(options: Options): number {
  return Math.max(1, Math.ceil(options.snapshotSeconds / options.windowSeconds));
}

async function runHeldSnapshot(context: WorkloadContext): Promise<WorkloadResult> {
  const measurements: Measurement[] = [];
  for (const peer of context.peers) {
    measurements.push(await measure(context, peer));
  }
  return {
    tables: [ratioTable(measurements), windowTable(measurements, context.options), figuresTable(measurements)],
    data: measurements,
    failures: measurements.flatMap(({ peer, free, held }) => [
      ...failuresOf(`held-snapshot, ${peer}`, [...free, ...held]),
      ...checkRedelivery(peer, [...free, ...held]),
    ]),
  };
}

async function measure({ lab, options, progress }: WorkloadContext, peer: Peer): Promise<Measurement> {
  const under = await lab.startPeer(peer);
  let endSnapshot = async () => {};
  const order = {
    queues: queueNames('snapshot'),
    batch: BATCH,
    abandonEvery: ABANDON_EVERY,
    warmUpSeconds: options.warmUpSeconds,
    windowSeconds: options.windowSeconds,
    windows: FREE_WINDOWS + heldWindows(options),
  };
  const windows = await runLifecycles(lab, under, order, async (done, window) => {
    const held = done > FREE_WINDOWS ? 'snapshot held' : 'free';
    progress(`${peer.name}, ${held}, window ${done}: ${formatCount(rateOf(window))} messages/s`);
    if (done === FREE_WINDOWS) {
      endSnapshot = await lab.holdSnapshot(under);
    }
  });
  await endSnapshot();
  await under.stop();
  return { peer: peer.name, free: windows.slice(0, FREE_WINDOWS), held: windows.slice(FREE_WINDOWS) };
}

/** The figures mean something only if messages did come back. */
function checkRedelivery(peer: string, windows: readonly LifecycleWindow[]): string[] {
  const came = windows.some((window) => window.figures.counters.redelivered > 0);
  return came ? [] : [`held-snapshot, ${peer}: leases were left to expire, but no message came back`];
}

function freeRate(measurement: Measurement): number | null {
  return medianOf(measurement.free.map(rateOf));
}

function lastRate(measurement: Measurement): number | null {
  const last = measurement.held.at(-1);
  return last === undefined ? null : rateOf(last);
}

function ratioTable(measurements: readonly Measurement[]): Table {
  return {
    title: 'Held snapshot: what is left of the free-running figure in the last window',
    columns: ['system', 'left', 'free messages/s', 'last window'],
    rows: measurements.map((measurement) => [
      measurement.peer,
      formatPercent(lastRate(measurement), freeRate(measurement)),
      formatCount(freeRate(measurement)),
      formatCount(lastRate(measurement)),
    ]),
  };
}

function windowTable(measurements: readonly Measurement[], options: Options): Table {
  const label = (index: number) => {
    const from = index * options.windowSeconds;
    return index < 0 ? 'free' : `${from}–${from + options.windowSeconds} s`;
  };
  const indexes = Array.from({ length: FREE_WINDOWS + heldWindows(options) }, (_, index) => index - FREE_WINDOWS);
  return {
    title: 'Held snapshot: messages acknowledged per second, window by window',
    columns: ['held for', ...measurements.map((measurement) => measurement.peer)],
    rows: indexes.map((index) => [
      label(index),
      ...measurements.map(({ free, held }) => {
        const window = [...free, ...held][index + FREE_WINDOWS];
        return formatCount(window === undefined ? null : rateOf(window));
      }),
    ]),
  };
}

function figuresTable(measurements: readonly Measurement[]): Table {
  const rows = measurements.flatMap(({ peer, free, held }) => {
    const phases = [
      { name: 'free', windows: free },
      { name: 'last', windows: held.slice(-1) },
    ];
    return phases.map(({ name, windows }) => {
      const calls = lifecycleCalls.map((call) => callCell(windows, call));
      const sum = (counter: 'abandoned' | 'redelivered') =>
        formatCount(windows.reduce((total, window) => total + window.figures.counters[counter], 0) / windows.length);
      return [`${peer}, ${name}`, sum('abandoned'), sum('redelivered'), ...calls, ...cpuCells(windows)];
    });
  });
  return {
    title: 'Held snapshot: per window, freely and in the last window',
    columns: [
      'system',
      'left to expire',
      'came back',
      ...lifecycleCalls.map((call) => `${call} p50/p99 ms`),
      ...cpuColumns,
    ],
    rows,
  };
}
