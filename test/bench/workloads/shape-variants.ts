// One thing changed at a time about the plain lifecycle: connections, subscriptions, size of the
// bodies. Batches of 10, except where the bodies are large: there one by one, next to small ones
// one by one.

import { medianOf } from '../lab/samples.ts';
import { formatCount, formatRatio, type Table } from '../lab/table.ts';
import type { Peer } from '../peers/peer.ts';
import {
  BODY_BYTES,
  CONNECTIONS,
  callCell,
  cpuCells,
  cpuColumns,
  failuresOf,
  type LifecycleWindow,
  QUEUES,
  queueNames,
  rateOf,
  runOneWindow,
  warmUp,
} from './shapes.ts';
import type { Workload, WorkloadContext, WorkloadResult } from './workload.ts';

interface Variant {
  readonly name: string;
  readonly connections: number;
  readonly queues: number;
  readonly batch: number;
  readonly bodyBytes: number;
}

interface Measurement {
  readonly peer: string;
  readonly variant: Variant;
  readonly window: LifecycleWindow;
}

export type ShapesData = readonly Measurement[];

const KIB = 1024;
const base = { connections: CONNECTIONS, queues: QUEUES, batch: 10, bodyBytes: BODY_BYTES };
const variants: readonly Variant[] = [
  { ...base, name: 'as it is' },
  { ...base, name: '1 connection', connections: 1 },
  { ...base, name: '256 connections', connections: 256 },
  { ...base, name: '1 subscription', queues: 1 },
  { ...base, name: '1,000 subscriptions', queues: 1000 },
  { ...base, name: 'batch 1, 512 B', batch: 1 },
  { ...base, name: 'batch 1, 16 KiB', batch: 1, bodyBytes: 16 * KIB },
  { ...base, name: 'batch 1, 256 KiB', batch: 1, bodyBytes: 256 * KIB },
];
const START_SECONDS = 5;
/** Connections opened, a thousand subscriptions made. */
const PHASE_OVERHEAD_SECONDS = 1;

export const shapeVariants: Workload = {
  name: 'shapes',
  summary: 'lifecycles with 1 and 256 connections, 1 and 1,000 subscriptions, bodies of 16 and 256 KiB',
  isLong: false,
  canMeasure: (peer) => !peer.worksInGenerator,
  estimateSeconds: (options, peers) => {
    const phase = options.warmUpSeconds + options.seconds + PHASE_OVERHEAD_SECONDS;
    return START_SECONDS + variants.length * peers.length * phase;
  },
  run: runVariants,
};

async function runVariants({ lab, options, peers, progress }: WorkloadContext): Promise<WorkloadResult> {
  const running = [];
  for (const peer of peers) {
    const under = await lab.startPeer(peer);
    await warmUp(lab, under, options);
    running.push(under);
  }
  const measurements: Measurement[] = [];
  for (const [index, variant] of variants.entries()) {
    for (const under of running) {
      const { name: _name, queues, ...shape } = variant;
      const window = await runOneWindow(lab, under, {
        ...shape,
        queues: queueNames(`shape-${index}`, queues),
        warmUpSeconds: options.warmUpSeconds,
        windowSeconds: options.seconds,
      });
      measurements.push({ peer: under.peer.name, variant, window });
      progress(`${variant.name}, ${under.peer.name}: ${formatCount(rateOf(window))} messages/s`);
    }
  }
  await Promise.all(running.map((under) => under.stop()));
  return {
    tables: [ratioTable(measurements, peers), figuresTable(measurements)],
    data: measurements,
    failures: measurements.flatMap(({ peer, variant, window }) =>
      failuresOf(`shapes, ${variant.name}, ${peer}`, [window]),
    ),
  };
}

function ratioTable(measurements: readonly Measurement[], peers: readonly Peer[]): Table {
  const [subject, ...others] = peers.map((peer) => peer.name);
  const rate = (peer: string | undefined, name: string) =>
    medianOf(
      measurements.filter((one) => one.peer === peer && one.variant.name === name).map((one) => rateOf(one.window)),
    );
  return {
    title: `Shapes: messages/s of ${subject}, as a multiple of its own plain lifecycle and of the others`,
    columns: ['shape', `${subject} as it is`, ...others],
    rows: variants.map(({ name }) => [
      name,
      formatRatio(rate(subject, name), rate(subject, 'as it is')),
      ...others.map((other) => formatRatio(rate(subject, name), rate(other, name))),
    ]),
  };
}

function figuresTable(measurements: readonly Measurement[]): Table {
  return {
    title: 'Shapes: messages acknowledged per second, call times, processor seconds per window',
    columns: ['shape, system', 'messages/s', 'publish p50/p99 ms', 'receive', 'acknowledge', ...cpuColumns],
    rows: measurements.map(({ peer, variant, window }) => [
      `${variant.name}, ${peer}`,
      formatCount(rateOf(window)),
      callCell([window], 'publish'),
      callCell([window], 'receive'),
      callCell([window], 'acknowledge'),
      ...cpuCells([window]),
    ]),
    notes: [`As it is: ${CONNECTIONS} connections, ${QUEUES} subscriptions, batch 10, ${BODY_BYTES} B.`],
  };
}
