// One log serves every subscription of a topic: what publishing costs with 1, 10 and 100 of them,
// and how many deliveries come of it when all of them collect. And what an acknowledgment costs by
// itself and with the next receive.

import type { RunningPeer } from '../lab/lab.ts';
import { medianOf } from '../lab/samples.ts';
import { formatCount, formatRatio, type Table } from '../lab/table.ts';
import type { FanOutSettings } from '../load/fan-out.ts';
import type { LifecycleFigures } from '../load/windows.ts';
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
  warmUp,
} from './shapes.ts';
import type { Workload, WorkloadContext, WorkloadResult } from './workload.ts';

interface Phase {
  readonly name: string;
  readonly subscriptions: number;
  readonly collect: FanOutSettings['collect'];
}

interface Measurement extends Phase {
  readonly round: number;
  readonly window: LifecycleWindow;
}

export type FanOutData = readonly Measurement[];

const BATCH = 10;
const fanOuts = [1, 10, 100];
const phases: readonly Phase[] = [
  ...fanOuts.map((subscriptions) => ({
    name: `publish alone, to ${subscriptions}`,
    subscriptions,
    collect: 'not at all' as const,
  })),
  ...fanOuts.map((subscriptions) => ({
    name: `publish and collect, ${subscriptions}`,
    subscriptions,
    collect: 'acknowledged separately' as const,
  })),
  { name: 'with the next receive, 1', subscriptions: 1, collect: 'acknowledged with the next receive' },
];
const publishPhases = phases.filter((phase) => phase.collect === 'not at all');
const START_SECONDS = 5;
const PHASE_OVERHEAD_SECONDS = 2;
const driver = new URL('../load/fan-out.ts', import.meta.url).href;

export const fanOut: Workload = {
  name: 'fan-out',
  summary:
    'topics with 1, 10 and 100 subscriptions: publishing alone, and all of them collecting; piggybacked acknowledgment',
  isLong: false,
  canMeasure: (peer) => peer.isWillcall,
  estimateSeconds: (options, peers) => {
    const phase = options.warmUpSeconds + options.seconds + PHASE_OVERHEAD_SECONDS;
    return peers.length * (START_SECONDS + (phases.length + (options.rounds - 1) * publishPhases.length) * phase);
  },
  run: runFanOut,
};

async function runFanOut(context: WorkloadContext): Promise<WorkloadResult> {
  const measurements: Measurement[] = [];
  for (const peer of context.peers) {
    const under = await context.lab.startPeer(peer);
    await warmUp(context.lab, under, context.options);
    for (let round = 1; round <= context.options.rounds; round += 1) {
      // What is compared within a few per cent is measured in every round, the others once.
      for (const phase of round === 1 ? phases : publishPhases) {
        const window = await measure(context, under, phase, round);
        measurements.push({ ...phase, round, window });
        context.progress(
          `round ${round}, ${phase.name}: ${formatCount(publishRate(window))} published/s, ${formatCount(rateOf(window))} acknowledged/s`,
        );
      }
    }
    await under.stop();
  }
  return {
    tables: [publishTable(measurements), piggybackTable(measurements), figuresTable(measurements)],
    data: measurements,
    failures: measurements.flatMap(({ name, round, window }) =>
      failuresOf(`fan-out, ${name}, round ${round}`, [window]),
    ),
  };
}

async function measure(
  { lab, options }: WorkloadContext,
  under: RunningPeer,
  { subscriptions, collect }: Phase,
  round: number,
): Promise<LifecycleWindow> {
  const [target] = under.targets;
  if (target === undefined) {
    throw new Error('the system has no instance');
  }
  const name = `fan-${subscriptions}-${collect.replaceAll(' ', '-')}-${round}`;
  const settings: FanOutSettings = {
    target,
    connections: CONNECTIONS,
    topics: queueNames(name, QUEUES),
    subscriptionsPerTopic: subscriptions,
    batch: BATCH,
    bodyBytes: BODY_BYTES,
    collect,
    warmUpSeconds: options.warmUpSeconds,
    windowSeconds: options.seconds,
    windows: 1,
  };
  const [window] = await lab.runLoad<FanOutSettings, LifecycleFigures>({ driver, settings, under });
  if (window === undefined) {
    throw new Error('the load ended without a window');
  }
  return window;
}

/** Messages published per second. */
function publishRate(window: LifecycleWindow): number {
  return window.figures.counters.published / window.figures.seconds;
}

/** Processor milliseconds of service and database per thousand messages published. */
function publishCost(window: LifecycleWindow): number | null {
  const { service, postgres } = window.cpu;
  const { published } = window.figures.counters;
  return service === null || postgres === null || published === 0
    ? null
    : ((service + postgres) * 1_000_000) / published;
}

function windowsOf(measurements: readonly Measurement[], phase: Pick<Phase, 'subscriptions' | 'collect'>) {
  return measurements
    .filter((one) => one.subscriptions === phase.subscriptions && one.collect === phase.collect)
    .map((one) => one.window);
}

function publishTable(measurements: readonly Measurement[]): Table {
  const of = (subscriptions: number) => windowsOf(measurements, { subscriptions, collect: 'not at all' });
  const cost = (subscriptions: number) => medianOrNull(of(subscriptions).map(publishCost));
  const p50 = (subscriptions: number) =>
    medianOrNull(of(subscriptions).map((window) => window.figures.calls.publish.p50Ms));
  const rate = (subscriptions: number) => medianOf(of(subscriptions).map(publishRate));
  return {
    title: 'Fan-out: publishing alone, as a multiple of publishing to one subscription',
    columns: ['subscriptions', 'CPU per message', 'publish p50', 'time per message', 'published/s'],
    rows: fanOuts.map((subscriptions) => [
      String(subscriptions),
      formatRatio(cost(subscriptions), cost(1)),
      formatRatio(p50(subscriptions), p50(1)),
      // The inverse of the rate: above 1 is slower, as in the columns beside it.
      formatRatio(rate(1), rate(subscriptions)),
      formatCount(rate(subscriptions)),
    ]),
  };
}

function piggybackTable(measurements: readonly Measurement[]): Table {
  const rate = (collect: Phase['collect']) =>
    medianOf(windowsOf(measurements, { subscriptions: 1, collect }).map(rateOf));
  const separate = rate('acknowledged separately');
  const piggybacked = rate('acknowledged with the next receive');
  return {
    title: 'Acknowledgment with the next receive, as a multiple of a call of its own',
    columns: ['', 'ratio', 'messages/s'],
    rows: [
      ['a call of its own', formatRatio(separate, separate), formatCount(separate)],
      ['with the next receive', formatRatio(piggybacked, separate), formatCount(piggybacked)],
    ],
  };
}

function figuresTable(measurements: readonly Measurement[]): Table {
  return {
    title: 'Fan-out: per phase, publishing alone as medians of the rounds',
    columns: [
      'phase',
      'published/s',
      'acknowledged/s',
      'publish p50/p99 ms',
      'receive',
      'acknowledge',
      ...cpuColumns.map((column) => (column === 'messages/CPU s' ? 'acknowledged/CPU s' : column)),
    ],
    rows: phases.map((phase) => {
      const windows = windowsOf(measurements, phase);
      return [
        phase.name,
        formatCount(medianOf(windows.map(publishRate))),
        formatCount(medianOf(windows.map(rateOf))),
        callCell(windows, 'publish'),
        callCell(windows, 'receive'),
        callCell(windows, 'acknowledge'),
        ...cpuCells(windows),
      ];
    }),
    notes: ['Publishing alone: the subscriptions are there, and nobody collects.'],
  };
}
