// One client who hammers, and what the others feel of it: a few quiet clients with a subscription
// each, first alone, then beside one with as many connections and as large batches as he likes.

import { formatCount, formatRatio, type Table } from '../lab/table.ts';
import { callCell, failuresOf, type LifecycleWindow, queueNames, rateOf, runOneWindow, warmUp } from './shapes.ts';
import type { Workload, WorkloadContext, WorkloadResult } from './workload.ts';

interface Measurement {
  readonly peer: string;
  readonly alone: LifecycleWindow;
  readonly beside: LifecycleWindow;
  readonly noisy: LifecycleWindow;
}

export type NoisyData = readonly Measurement[];

const QUIET = { connections: 4, batch: 1, pauseMs: 20 };
const NOISY = { connections: 32, batch: 100 };
const START_SECONDS = 5;
const PHASE_OVERHEAD_SECONDS = 1;

export const noisy: Workload = {
  name: 'noisy-neighbour',
  summary: 'four quiet clients, alone and beside one that hammers with 32 connections and batches of 100',
  isLong: false,
  canMeasure: (peer) => !peer.worksInGenerator,
  estimateSeconds: (options, peers) =>
    peers.length * (START_SECONDS + 2 * (options.warmUpSeconds + options.seconds + PHASE_OVERHEAD_SECONDS)),
  run: runNoisy,
};

async function runNoisy({ lab, options, peers, progress }: WorkloadContext): Promise<WorkloadResult> {
  const measurements: Measurement[] = [];
  const times = { warmUpSeconds: options.warmUpSeconds, windowSeconds: options.seconds };
  for (const peer of peers) {
    const under = await lab.startPeer(peer);
    await warmUp(lab, under, options);
    const alone = await runOneWindow(lab, under, { ...times, ...QUIET, queues: queueNames('quiet-1', 4) });
    const [beside, noise] = await Promise.all([
      runOneWindow(lab, under, { ...times, ...QUIET, queues: queueNames('quiet-2', 4) }),
      runOneWindow(lab, under, { ...times, ...NOISY, queues: ['noisy'] }),
    ]);
    measurements.push({ peer: peer.name, alone, beside, noisy: noise });
    progress(
      `${peer.name}: receive alone ${callCell([alone], 'receive')} ms, beside ${callCell([beside], 'receive')} ms`,
    );
    await under.stop();
  }
  return {
    tables: [resultTable(measurements)],
    data: measurements,
    failures: measurements.flatMap(({ peer, alone, beside, noisy: noise }) =>
      failuresOf(`noisy-neighbour, ${peer}`, [alone, beside, noise]),
    ),
  };
}

function resultTable(measurements: readonly Measurement[]): Table {
  const ratio = (one: Measurement, percentile: 'p50Ms' | 'p99Ms') =>
    formatRatio(one.beside.figures.calls.receive[percentile], one.alone.figures.calls.receive[percentile]);
  return {
    title: 'Noisy neighbour: call times of the quiet clients beside him, as a multiple of those alone',
    columns: [
      'system',
      'receive p50',
      'p99',
      'alone: publish p50/p99 ms',
      'receive',
      'acknowledge',
      'beside him: publish',
      'receive',
      'acknowledge',
      'his messages/s',
    ],
    rows: measurements.map((one) => [
      one.peer,
      ratio(one, 'p50Ms'),
      ratio(one, 'p99Ms'),
      ...[one.alone, one.beside].flatMap((window) =>
        (['publish', 'receive', 'acknowledge'] as const).map((call) => callCell([window], call)),
      ),
      formatCount(rateOf(one.noisy)),
    ]),
    notes: [
      `Quiet: ${QUIET.connections} connections with a subscription each, batch ${QUIET.batch}, ${QUIET.pauseMs} ms of rest after each lifecycle.`,
      `He: ${NOISY.connections} connections on one subscription, batch ${NOISY.batch}, without rest.`,
    ],
  };
}
