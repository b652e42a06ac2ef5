// A backlog of millions: what a receive costs in front of it. Each size has a subscription of its
// own; the backlog is made in SQL (lab/fill.ts), and every lifecycle puts back as many as it takes,
// so that it stays as long as it was.

import { fillBacklog } from '../lab/fill.ts';
import type { RunningPeer } from '../lab/lab.ts';
import { formatCount, formatMs, formatRatio, type Table } from '../lab/table.ts';
import { connect } from '../load/http-queue-client.ts';
import type { Options } from '../options.ts';
import { callCell, failuresOf, type LifecycleWindow, medianOrNull, rateOf, runOneWindow, warmUp } from './shapes.ts';
import { measureVerbs, type VerbPoint, verbFailures, verbSeconds, verbTable } from './verb-costs.ts';
import type { Workload, WorkloadContext, WorkloadResult } from './workload.ts';

interface Measurement {
  readonly messages: number;
  readonly round: number;
  readonly window: LifecycleWindow;
}

export interface BacklogData {
  readonly measurements: readonly Measurement[];
  readonly points: readonly VerbPoint[];
}

/** Small, so that twenty million of them find room on a usual disk. */
export const BACKLOG_BODY_BYTES = 200;
const CONNECTIONS = 8;
const BATCH = 10;
const START_SECONDS = 10;
const FILLED_PER_SECOND = 60_000;
const PHASE_OVERHEAD_SECONDS = 1;

export const backlog: Workload = {
  name: 'backlog',
  summary:
    'receives in front of a backlog of 1,000 and a million messages (with --long 5 and 20 million); every verb by itself there',
  isLong: false,
  canMeasure: (peer) => peer.isWillcall,
  estimateSeconds: (options, peers) => {
    const fill = options.backlogs.reduce((sum, messages) => sum + messages, 0) / FILLED_PER_SECOND;
    const phase = options.warmUpSeconds + options.seconds + PHASE_OVERHEAD_SECONDS;
    const verbs = verbSeconds(options) + 2 * PHASE_OVERHEAD_SECONDS;
    return peers.length * (START_SECONDS + fill + options.backlogs.length * (options.rounds * phase + verbs));
  },
  run: runBacklog,
};

async function runBacklog({ lab, options, peers, progress }: WorkloadContext): Promise<WorkloadResult> {
  const measurements: Measurement[] = [];
  const points: VerbPoint[] = [];
  for (const peer of peers) {
    const under = await lab.startPeer(peer);
    for (const messages of options.backlogs) {
      const startedAt = performance.now();
      await makeBacklog(under, { queue: queueOf(messages), messages, ageSeconds: 0 });
      progress(`${formatCount(messages)} messages made in ${formatMs((performance.now() - startedAt) / 1000)} s`);
    }
    await warmUp(lab, under, options);
    for (let round = 1; round <= options.rounds; round += 1) {
      for (const messages of options.backlogs) {
        const window = await runOneWindow(lab, under, {
          queues: [queueOf(messages)],
          connections: CONNECTIONS,
          batch: BATCH,
          bodyBytes: BACKLOG_BODY_BYTES,
          warmUpSeconds: options.warmUpSeconds,
          windowSeconds: options.seconds,
        });
        measurements.push({ messages, round, window });
        progress(`round ${round}, backlog ${formatCount(messages)}: receive ${callCell([window], 'receive')} ms`);
      }
    }
    for (const messages of options.backlogs) {
      const name = queueOf(messages);
      const order = { topic: name, subscription: name, bodyBytes: BACKLOG_BODY_BYTES };
      points.push({ factor: 'backlog', value: messages, window: await measureVerbs(lab, options, under, order) });
    }
    await under.stop();
  }
  return {
    tables: [ratioTable(measurements, options), verbTable('Backlog: every verb by itself', points)],
    data: { measurements, points },
    failures: [
      ...measurements.flatMap(({ messages, round, window }) =>
        failuresOf(`backlog of ${messages}, round ${round}`, [window]),
      ),
      ...verbFailures('backlog', points),
    ],
  };
}

/** A queue with a backlog, through the service for the first message and in SQL for the others. */
export async function makeBacklog(
  under: RunningPeer,
  { queue, messages, ageSeconds }: { queue: string; messages: number; ageSeconds: number },
): Promise<void> {
  const [target] = under.targets;
  if (target === undefined || under.databaseUrl === null) {
    throw new Error('the system has no database');
  }
  const client = await connect({ target, bodyBytes: BACKLOG_BODY_BYTES });
  await client.createQueue(queue);
  await client.publish(queue, 1);
  await fillBacklog({ databaseUrl: under.databaseUrl, topic: queue, messages, ageSeconds });
  client.close();
}

function queueOf(messages: number): string {
  return `backlog-${messages}`;
}

function ratioTable(measurements: readonly Measurement[], options: Options): Table {
  const [base] = options.backlogs;
  const of = (messages: number | undefined) =>
    measurements.filter((one) => one.messages === messages).map((one) => one.window);
  const receive = (messages: number | undefined, percentile: 'p50Ms' | 'p99Ms') =>
    medianOrNull(of(messages).map((window) => window.figures.calls.receive[percentile]));
  const rate = (messages: number | undefined) => medianOrNull(of(messages).map(rateOf));
  return {
    title: `Backlog: receive, as a multiple of that with a backlog of ${formatCount(base ?? 0)}`,
    columns: ['backlog', 'p50', 'p99', 'messages/s', 'receive p50/p99 ms', 'publish', 'acknowledge', 'messages/s'],
    rows: options.backlogs.map((messages) => [
      formatCount(messages),
      formatRatio(receive(messages, 'p50Ms'), receive(base, 'p50Ms')),
      formatRatio(receive(messages, 'p99Ms'), receive(base, 'p99Ms')),
      formatRatio(rate(messages), rate(base)),
      callCell(of(messages), 'receive'),
      callCell(of(messages), 'publish'),
      callCell(of(messages), 'acknowledge'),
      formatCount(rate(messages)),
    ]),
    notes: [
      `${CONNECTIONS} connections on one subscription, batch ${BATCH}, ${BACKLOG_BODY_BYTES} B; medians of ${options.rounds} rounds, sizes taking turns.`,
      'The backlog is made in SQL of copies of a message that the service wrote, then vacuumed, with a checkpoint.',
    ],
  };
}
