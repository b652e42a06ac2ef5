// A consumer that was offline for a day comes back: a day's messages wait for it, and go on being
// published to a subscription beside him. How fast he catches up, compared with plain lifecycles,
// and what the others feel of it.

import { formatCount, formatRatio, type Table } from '../lab/table.ts';
import { BACKLOG_BODY_BYTES, makeBacklog } from './backlog.ts';
import {
  callCell,
  cpuCells,
  cpuColumns,
  failuresOf,
  type LifecycleWindow,
  queueNames,
  rateOf,
  runOneWindow,
  warmUp,
} from './shapes.ts';
import type { Workload, WorkloadContext, WorkloadResult } from './workload.ts';

interface Measurement {
  readonly name: string;
  readonly window: LifecycleWindow;
}

export type ReturningData = readonly Measurement[];

const DAY_SECONDS = 86_400;
const CONNECTIONS = 8;
const BATCH = 100;
/** Longer, and the backlog might be over before the window is. */
const SECONDS_MAX = 5;
const START_SECONDS = 10;
const FILLED_PER_SECOND = 60_000;
const PHASE_OVERHEAD_SECONDS = 1;
/** The others: few, and not in a hurry. */
const OTHERS = { connections: 4, batch: 1, bodyBytes: BACKLOG_BODY_BYTES, pauseMs: 20 };

export const returning: Workload = {
  name: 'returning',
  summary: 'a consumer comes back after a day: how fast he catches up, and what others feel of it',
  isLong: false,
  canMeasure: (peer) => peer.isWillcall,
  estimateSeconds: (options, peers) =>
    peers.length *
    (START_SECONDS +
      options.returningMessages / FILLED_PER_SECOND +
      3 * (options.warmUpSeconds + options.seconds + PHASE_OVERHEAD_SECONDS)),
  run: runReturning,
};

async function runReturning({ lab, options, peers, progress }: WorkloadContext): Promise<WorkloadResult> {
  const measurements: Measurement[] = [];
  for (const peer of peers) {
    const under = await lab.startPeer(peer);
    await warmUp(lab, under, options);
    const queue = 'returning';
    await makeBacklog(under, { queue, messages: options.returningMessages, ageSeconds: DAY_SECONDS });
    progress(`${formatCount(options.returningMessages)} messages of the last day made`);
    const times = { warmUpSeconds: options.warmUpSeconds, windowSeconds: Math.min(options.seconds, SECONDS_MAX) };
    const crowd = { ...times, connections: CONNECTIONS, batch: BATCH, bodyBytes: BACKLOG_BODY_BYTES };
    const add = (name: string, window: LifecycleWindow) => {
      measurements.push({ name, window });
      progress(`${name}: ${formatCount(rateOf(window))} messages/s`);
    };
    add('plain lifecycles', await runOneWindow(lab, under, { ...crowd, queues: ['plain'] }));
    add(
      'others, it is offline',
      await runOneWindow(lab, under, { ...times, ...OTHERS, queues: queueNames('others-1', 4) }),
    );
    const [catchingUp, others] = await Promise.all([
      runOneWindow(lab, under, { ...crowd, queues: [queue], publishes: false }),
      runOneWindow(lab, under, { ...times, ...OTHERS, queues: queueNames('others-2', 4) }),
    ]);
    add('he catches up', catchingUp);
    add('others, meanwhile', others);
    await under.stop();
  }
  return {
    tables: [resultTable(measurements, options.returningMessages)],
    data: measurements,
    failures: [
      ...measurements.flatMap(({ name, window }) => failuresOf(`returning, ${name}`, [window])),
      ...checkLeft(measurements),
    ],
  };
}

/** He must not have run out of messages while he was measured. */
function checkLeft(measurements: readonly Measurement[]): string[] {
  return measurements
    .filter(({ name, window }) => name === 'he catches up' && window.figures.counters.emptyReceives > 0)
    .map(() => 'returning: the backlog was over before the window was; choose a larger --returning');
}

function resultTable(measurements: readonly Measurement[], messages: number): Table {
  const [plain, away] = measurements.map((one) => one.window);
  return {
    title: 'Returning after a day: as a multiple of plain lifecycles, and of the others without him',
    columns: [
      '',
      'messages/s',
      'receive p99',
      'messages/s',
      'publish p50/p99 ms',
      'receive',
      'acknowledge',
      ...cpuColumns,
    ],
    rows: measurements.map(({ name, window }) => {
      const base = name.startsWith('others') ? away : plain;
      return [
        name,
        formatRatio(rateOf(window), base === undefined ? null : rateOf(base)),
        formatRatio(window.figures.calls.receive.p99Ms, base?.figures.calls.receive.p99Ms ?? null),
        formatCount(rateOf(window)),
        callCell([window], 'publish'),
        callCell([window], 'receive'),
        callCell([window], 'acknowledge'),
        ...cpuCells([window]),
      ];
    }),
    notes: [
      `${formatCount(messages)} messages of the last day; he collects with ${CONNECTIONS} connections, batch ${BATCH}, and publishes nothing.`,
      `The others: ${OTHERS.connections} connections with a subscription each, batch ${OTHERS.batch}, ${OTHERS.pauseMs} ms of rest after each lifecycle.`,
    ],
  };
}
