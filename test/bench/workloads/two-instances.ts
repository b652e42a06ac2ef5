// Two instances on one database against one: the same load, spread over both. At full speed, where
// two need more cores than there are, they take from each other; and at a pace that leaves cores
// idle, where nothing should be lost.

import type { RunningPeer } from '../lab/lab.ts';
import { medianOf } from '../lab/samples.ts';
import { formatCount, formatRatio, type Table } from '../lab/table.ts';
import type { Options } from '../options.ts';
import {
  CONNECTIONS,
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
  readonly load: Load;
  readonly window: LifecycleWindow;
}

/**
 * `paced`: each connection rests after a lifecycle, for five times as long as one takes a single
 * instance at full speed.
 */
type Load = 'full' | 'paced';

export type TwoInstancesData = readonly Measurement[];

const START_SECONDS = 10;
const PHASE_OVERHEAD_SECONDS = 1;
/** The two differ little from round to round, and there are twice as many phases. */
const ROUNDS_MAX = 2;
const PAUSE_LIFECYCLES = 5;

export const twoInstances: Workload = {
  name: 'two-instances',
  summary: 'the same lifecycles over one instance and over two on one database',
  isLong: false,
  canMeasure: (peer) => peer.instancesMax > 1,
  estimateSeconds: (options, peers) => {
    const phase = options.warmUpSeconds + options.seconds + PHASE_OVERHEAD_SECONDS;
    return peers.length * (START_SECONDS + roundsOf(options) * options.batches.length * 4 * phase);
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
        let pauseMs = 0;
        for (const load of ['full', 'paced'] as const) {
          for (const under of running) {
            const one = await measure(under, { batch, round, load, pauseMs });
            measurements.push(one);
            const rate = formatCount(rateOf(one.window));
            progress(`round ${round}, batch ${batch}, ${load}, ${one.instances}: ${rate} messages/s`);
          }
          const full = measurements.findLast((one) => one.load === 'full' && one.instances === 1);
          if (full !== undefined) pauseMs = PAUSE_LIFECYCLES * lifecycleMs(full);
        }
      }
    }
    await Promise.all(running.map((under) => under.stop()));
  }
  return {
    tables: [resultTable(measurements, options)],
    data: measurements,
    failures: measurements.flatMap(({ peer, instances, batch, round, load, window }) =>
      failuresOf(`two-instances, ${peer}, ${instances}, batch ${batch}, ${load}, round ${round}`, [window]),
    ),
  };

  async function measure(
    under: RunningPeer,
    { batch, round, load, pauseMs }: { batch: number; round: number; load: Load; pauseMs: number },
  ): Promise<Measurement> {
    const window = await runOneWindow(lab, under, {
      queues: queueNames(`instances-${load}-${round}-${batch}`),
      ...{ batch, pauseMs },
      warmUpSeconds: options.warmUpSeconds,
      windowSeconds: options.seconds,
    });
    return { peer: under.peer.name, instances: under.targets.length, batch, round, load, window };
  }
}

function roundsOf(options: Options): number {
  return Math.min(options.rounds, ROUNDS_MAX);
}

/** How long a lifecycle took on average. */
function lifecycleMs({ batch, window }: Measurement): number {
  return (1000 * CONNECTIONS * batch) / rateOf(window);
}

/**
 * Messages per second over two instances, as a multiple of those over one; null when it was not
 * measured.
 */
export function ratioOfTwo(measurements: readonly Measurement[], load: Load, batch: number): number | null {
  const rate = (instances: number) =>
    medianOf(
      measurements
        .filter((one) => one.load === load && one.batch === batch && one.instances === instances)
        .map((one) => rateOf(one.window)),
    );
  const [one, two] = [rate(1), rate(2)];
  return one === null || two === null ? null : two / one;
}

function resultTable(measurements: readonly Measurement[], options: Options): Table {
  const of = (load: Load, instances: number, batch: number) =>
    measurements
      .filter((one) => one.load === load && one.instances === instances && one.batch === batch)
      .map((one) => one.window);
  const rate = (load: Load, instances: number, batch: number) => medianOf(of(load, instances, batch).map(rateOf));
  const thrift = (load: Load, instances: number, batch: number) =>
    medianOrNull(of(load, instances, batch).map(thriftOf));
  return {
    title: 'Two instances on one database, as a multiple of one',
    columns: [
      'load, batch, instances',
      'messages/s',
      'per CPU s',
      'messages/s',
      'publish p50/p99 ms',
      'receive',
      'acknowledge',
      ...cpuColumns,
    ],
    rows: (['full', 'paced'] as const).flatMap((load) =>
      options.batches.flatMap((batch) =>
        [1, 2].map((instances) => [
          `${load}, ${batch}, ${instances}`,
          formatRatio(rate(load, instances, batch), rate(load, 1, batch)),
          formatRatio(thrift(load, instances, batch), thrift(load, 1, batch)),
          formatCount(rate(load, instances, batch)),
          callCell(of(load, instances, batch), 'publish'),
          callCell(of(load, instances, batch), 'receive'),
          callCell(of(load, instances, batch), 'acknowledge'),
          ...cpuCells(of(load, instances, batch)),
        ]),
      ),
    ),
    notes: [
      `Medians of ${roundsOf(options)} rounds, one and two taking turns; each has a database of its own. Paced: each connection rests after a lifecycle, for five times as long as one takes a single instance at full speed.`,
    ],
  };
}
