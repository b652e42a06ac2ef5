// Full lifecycles over HTTP: 32 connections on 8 queues, batch by batch, the systems taking turns
// in every round so that whatever else the machine does falls on all of them.

import type { RunningPeer } from '../lab/lab.ts';
import { medianOf } from '../lab/samples.ts';
import { formatCount, formatRatio, type Table } from '../lab/table.ts';
import { lifecycleCalls } from '../load/windows.ts';
import type { Options } from '../options.ts';
import type { Peer } from '../peers/peer.ts';
import {
  BODY_BYTES,
  CONNECTIONS,
  callCell,
  cpuCells,
  cpuColumns,
  failuresOf,
  type LifecycleWindow,
  medianOrNull,
  QUEUES,
  queueNames,
  rateOf,
  runOneWindow,
  thriftOf,
} from './shapes.ts';
import type { Workload, WorkloadContext, WorkloadResult } from './workload.ts';

interface Measurement {
  readonly peer: string;
  readonly batch: number;
  readonly round: number;
  readonly window: LifecycleWindow;
}

export type LifecycleData = readonly Measurement[];

const START_SECONDS = 10;
/** The generator's own start and end, each time. */
const PHASE_OVERHEAD_SECONDS = 1;

export const lifecycle: Workload = {
  name: 'lifecycle',
  summary: `publish, receive and acknowledge, ${CONNECTIONS} connections on ${QUEUES} queues, ${BODY_BYTES}-byte bodies`,
  isLong: false,
  canMeasure: () => true,
  estimateSeconds: (options, peers) => {
    const phase = options.warmUpSeconds + options.seconds + PHASE_OVERHEAD_SECONDS;
    return START_SECONDS + options.rounds * options.batches.length * peers.length * phase;
  },
  run: runLifecycle,
};

async function runLifecycle(context: WorkloadContext): Promise<WorkloadResult> {
  const { lab, options, peers, progress } = context;
  const measurements: Measurement[] = [];
  const running: RunningPeer[] = [];
  for (const peer of peers) {
    running.push(await lab.startPeer(peer));
  }
  for (let round = 1; round <= options.rounds; round += 1) {
    for (const batch of options.batches) {
      for (const under of running) {
        const window = await measure(context, under, { batch, round });
        measurements.push({ peer: under.peer.name, batch, round, window });
        progress(`round ${round}, batch ${batch}, ${under.peer.name}: ${formatCount(rateOf(window))} messages/s`);
      }
    }
  }
  await Promise.all(running.map((peer) => peer.stop()));
  return {
    tables: [...ratioTables(measurements, options, peers), figuresTable(measurements, options, peers)],
    data: measurements,
    failures: measurements.flatMap(({ peer, batch, round, window }) =>
      failuresOf(`lifecycle, ${peer}, batch ${batch}, round ${round}`, [window]),
    ),
  };
}

async function measure(
  { lab, options }: WorkloadContext,
  under: RunningPeer,
  { batch, round }: { batch: number; round: number },
): Promise<LifecycleWindow> {
  return runOneWindow(lab, under, {
    queues: queueNames(`lifecycle-${round}-${batch}`),
    batch,
    warmUpSeconds: options.warmUpSeconds,
    windowSeconds: options.seconds,
  });
}

function windowsOf(measurements: readonly Measurement[], peer: string, batch: number): LifecycleWindow[] {
  return measurements.filter((one) => one.peer === peer && one.batch === batch).map((one) => one.window);
}

function ratioTables(measurements: readonly Measurement[], options: Options, peers: readonly Peer[]): Table[] {
  const [subject, ...others] = peers.map((peer) => peer.name);
  const rate = (peer: string | undefined, batch: number) =>
    medianOf(windowsOf(measurements, peer ?? '', batch).map(rateOf));
  const thrift = (peer: string | undefined, batch: number) =>
    medianOrNull(windowsOf(measurements, peer ?? '', batch).map(thriftOf));
  if (others.length === 0) {
    return [];
  }
  const table: Table = {
    title: `Lifecycles: ${subject} as a multiple of the others (ratio of medians of ${options.rounds} rounds)`,
    columns: [
      'of',
      ...options.batches.map((batch) => `messages/s, batch ${batch}`),
      ...options.batches.map((batch) => `per CPU s, batch ${batch}`),
    ],
    rows: others.map((other) => [
      other,
      ...options.batches.map((batch) => formatRatio(rate(subject, batch), rate(other, batch))),
      ...options.batches.map((batch) => formatRatio(thrift(subject, batch), thrift(other, batch))),
    ]),
  };
  return [table];
}

function figuresTable(measurements: readonly Measurement[], options: Options, peers: readonly Peer[]): Table {
  const callColumns = lifecycleCalls.map((call) => `${call} p50/p99 ms`);
  const rows = options.batches.flatMap((batch) =>
    peers.map((peer) => {
      const windows = windowsOf(measurements, peer.name, batch);
      const rates = windows.map(rateOf);
      const calls = lifecycleCalls.map((call) => callCell(windows, call));
      const spread = `${formatCount(Math.min(...rates))}–${formatCount(Math.max(...rates))}`;
      return [`${batch} ${peer.name}`, formatCount(medianOf(rates)), spread, ...calls, ...cpuCells(windows)];
    }),
  );
  return {
    title: 'Lifecycles: messages acknowledged per second, call times, processor seconds per window',
    columns: ['batch, system', 'messages/s', 'range', ...callColumns, ...cpuColumns],
    rows,
    notes: [
      `Medians of ${options.rounds} rounds, windows of ${options.seconds} s after ${options.warmUpSeconds} s of warm-up.`,
      'load share: what the generator took of one core; near 100 % it is the generator that was measured.',
    ],
  };
}
