// Two instances on one database against one: the same load, spread over both. With fewer cores than busy processes there is
// nothing to be won; nothing should be lost either.

import { medianOf } from '../lab/histogram.ts';
import type { RunningPeer } from '../lab/lab.ts';
import { formatCount, formatRatio, type Table } from '../lab/table.ts';
import type { Options } from '../options.ts';
import {
  callCell,
  cpuCells,
  cpuColumns,
  failuresOf,
  type LifecycleWindow,
  medianOrNull,
  queueNames,
  rateOf,
  runOneWindow,
  thriftOf,
  warmUp,
} from './shapes.ts';
import type { Workload, WorkloadContext, WorkloadResult } from './workload.ts';

interface Measurement {
  readonly peer: string;
  readonly instances: number;
  readonly batch: number;
  readonly round: number;
  readonly window: LifecycleWindow;
}

export type TwoInstancesData = readonly Measurement[];

const START_SECONDS = 10;
const PHASE_OVERHEAD_SECONDS = 1;
/** The two differ little from round to round, and there are twice as many phases. */
const ROUNDS_MAX = 2;

export const twoInstances: Workload = {
  name: 'two-instances',
  summary: 'the same lifecycles over one instance and over two on one database',
  isLong: false,
  canMeasure: (peer) => peer.instancesMax > 1,
  estimateSeconds: (options, peers) => {
    const phase = options.warmUpSeconds + options.seconds + PHASE_OVERHEAD_SECONDS;
    return peers.length * (START_SECONDS + roundsOf(options) * options.batches.length * 2 * phase);
  },
  run: runTwoInstances,
};

async function runTwoInstances({ lab, options, peers, progress }: WorkloadContext): Promise<WorkloadResult> {
  const measurements: Measurement[] = [];
  for (const peer of peers) {
    const running = [await lab.startPeer(peer, 1), await lab.startPeer(peer, 2)];
    for (const under of running) {
      await warmUp(lab, under, options);
    }
    for (let round = 1; round <= roundsOf(options); round += 1) {
      for (const batch of options.batches) {
        for (const under of running) {
          const one = await measure(under, { batch, round });
          measurements.push(one);
          progress(`round ${round}, batch ${batch}, ${one.instances}: ${formatCount(rateOf(one.window))} messages/s`);
        }
      }
    }
    await Promise.all(running.map((under) => under.stop()));
  }
  return {
    tables: [resultTable(measurements, options)],
    data: measurements,
    failures: measurements.flatMap(({ peer, instances, batch, round, window }) =>
      failuresOf(`two-instances, ${peer}, ${instances}, batch ${batch}, round ${round}`, [window]),
    ),
  };

  async function measure(under: RunningPeer, { batch, round }: { batch: number; round: number }): Promise<Measurement> {
    const window = await runOneWindow(lab, under, {
      queues: queueNames(`instances-${round}-${batch}`),
      batch,
      warmUpSeconds: options.warmUpSeconds,
      windowSeconds: options.seconds,
    });
    return { peer: under.peer.name, instances: under.targets.length, batch, round, window };
  }
}

function roundsOf(options: Options): number {
  return Math.min(options.rounds, ROUNDS_MAX);
}

function resultTable(measurements: readonly Measurement[], options: Options): Table {
  const of = (instances: number, batch: number) =>
    measurements.filter((one) => one.instances === instances && one.batch === batch).map((one) => one.window);
  const rate = (instances: number, batch: number) => medianOf(of(instances, batch).map(rateOf));
  const thrift = (instances: number, batch: number) => medianOrNull(of(instances, batch).map(thriftOf));
  return {
    title: 'Two instances on one database, as a multiple of one',
    columns: [
      'batch, instances',
      'messages/s',
      'per CPU s',
      'messages/s',
      'publish p50/p99 ms',
      'receive',
      'acknowledge',
      ...cpuColumns,
    ],
    rows: options.batches.flatMap((batch) =>
      [1, 2].map((instances) => [
        `${batch}, ${instances}`,
        formatRatio(rate(instances, batch), rate(1, batch)),
        formatRatio(thrift(instances, batch), thrift(1, batch)),
        formatCount(rate(instances, batch)),
        callCell(of(instances, batch), 'publish'),
        callCell(of(instances, batch), 'receive'),
        callCell(of(instances, batch), 'acknowledge'),
        ...cpuCells(of(instances, batch)),
      ]),
    ),
    notes: [`Medians of ${roundsOf(options)} rounds, one and two taking turns; each has a database of its own.`],
  };
}
