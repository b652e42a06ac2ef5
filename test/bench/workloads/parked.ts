// Ten thousand parked receives: what they cost while nothing happens, and whether one of them is
// answered as soon as a single one would be. A receive waits for 30 seconds at most, so each is
// sent again twice a minute: that is the HTTP traffic that is left, and it is counted.

import type { MeasuredWindow, Usage } from '../lab/lab.ts';
import { percentileOf } from '../lab/samples.ts';
import { formatCount, formatCpu, formatMs, formatRatio, type Table } from '../lab/table.ts';
import type { ParkedFigures, ParkedSettings } from '../load/parked.ts';
import type { Options } from '../options.ts';
import type { Peer } from '../peers/peer.ts';
import { BODY_BYTES, queueNames } from './shapes.ts';
import type { Workload, WorkloadContext, WorkloadResult } from './workload.ts';

interface Measurement {
  readonly peer: string;
  readonly receives: number;
  readonly subscriptions: number;
  readonly one: MeasuredWindow<ParkedFigures>;
  readonly idle: MeasuredWindow<ParkedFigures>;
  readonly many: MeasuredWindow<ParkedFigures>;
  /** When nothing was parked yet but one, when all were, and after they had been left alone. */
  readonly usage: { readonly one: Usage; readonly parked: Usage; readonly afterIdle: Usage };
}

export type ParkedData = readonly Measurement[];

const WAIT_SECONDS = 30;
const PAUSE_MS_MIN = 20;
const PAUSE_MS_MAX = 60;
const SAMPLE_SECONDS = 0.06;
const START_SECONDS = 15;
const PARKED_PER_SECOND = 1000;
const driver = new URL('../load/parked.ts', import.meta.url).href;

export const parked: Workload = {
  name: 'parked',
  summary: 'thousands of parked receives: memory, connections and statements while idle, wake-up of one among them',
  isLong: false,
  canMeasure: (peer) => peer.isWillcall,
  estimateSeconds: (options, peers) =>
    peers.length *
    (START_SECONDS +
      options.parkedReceives / PARKED_PER_SECOND +
      settleSeconds(options) +
      options.parkedIdleSeconds +
      2 * options.wakeupSamples * SAMPLE_SECONDS),
  run: runParked,
};

/**
 * PostgreSQL's sessions report what they did up to ten seconds later: that must not fall into the
 * idle time.
 */
function settleSeconds(options: Options): number {
  return options.quick ? 1 : 12;
}

async function runParked(context: WorkloadContext): Promise<WorkloadResult> {
  const measurements: Measurement[] = [];
  for (const peer of context.peers) {
    measurements.push(await measure(context, peer));
  }
  return {
    tables: [ratioTable(measurements), figuresTable(measurements)],
    data: measurements,
    failures: measurements.flatMap(({ peer, one, idle, many }) =>
      [one, idle, many]
        .filter(({ figures }) => figures.errors > 0)
        .map(
          ({ figures }) =>
            `parked, ${peer}, ${figures.phase}: ${figures.errors} errors: ${figures.errorTexts.join(' | ')}`,
        ),
    ),
  };
}

async function measure({ lab, options, progress }: WorkloadContext, peer: Peer): Promise<Measurement> {
  const under = await lab.startPeer(peer);
  const [target] = under.targets;
  if (target === undefined) {
    throw new Error('the system has no instance');
  }
  const subscriptions = Math.min(options.parkedSubscriptions, options.parkedReceives);
  const settings: ParkedSettings = {
    target,
    receives: options.parkedReceives,
    queues: queueNames('parked', subscriptions),
    waitSeconds: WAIT_SECONDS,
    bodyBytes: BODY_BYTES,
    samples: options.wakeupSamples,
    pauseMsMin: PAUSE_MS_MIN,
    pauseMsMax: PAUSE_MS_MAX,
    settleSeconds: settleSeconds(options),
    idleSeconds: options.parkedIdleSeconds,
  };
  const usage: Usage[] = [];
  const windows = await lab.runLoad<ParkedSettings, ParkedFigures>({
    driver,
    settings,
    under,
    onWindow: async (_done, { figures }) => {
      usage.push(await lab.readUsage(under));
      progress(`${peer.name}, ${figures.phase}: ${figures.seconds.toFixed(1)} s`);
    },
  });
  await under.stop();
  const [one, , idle, many] = windows;
  const [usageOne, usageParked, usageAfter] = usage;
  if (!one || !idle || !many || !usageOne || !usageParked || !usageAfter) {
    throw new Error('the load ended without its windows');
  }
  return {
    peer: peer.name,
    receives: options.parkedReceives,
    subscriptions,
    one,
    idle,
    many,
    usage: { one: usageOne, parked: usageParked, afterIdle: usageAfter },
  };
}

/**
 * Transactions per second while nothing happened; each statement of a service is one. Null without
 * a database.
 */
export function idleTransactions({ idle, usage }: Pick<Measurement, 'idle' | 'usage'>): number | null {
  const { parked: before, afterIdle } = usage;
  return before.transactions === null || afterIdle.transactions === null
    ? null
    : (afterIdle.transactions - before.transactions) / idle.figures.seconds;
}

function ratioTable(measurements: readonly Measurement[]): Table {
  const p50 = ({ figures }: MeasuredWindow<ParkedFigures>) => percentileOf(figures.fromPublishStartMs, 50);
  const p99 = ({ figures }: MeasuredWindow<ParkedFigures>) => percentileOf(figures.fromPublishStartMs, 99);
  return {
    title: 'Parked receives: from a publish to the answer of one of them, as a multiple of one parked alone',
    columns: ['system', 'parked', 'p50', 'p99', 'one parked p50/p99 ms', 'many parked p50/p99 ms'],
    rows: measurements.map(({ peer, receives, one, many }) => [
      peer,
      formatCount(receives),
      formatRatio(p50(many), p50(one)),
      formatRatio(p99(many), p99(one)),
      `${formatMs(p50(one))} / ${formatMs(p99(one))}`,
      `${formatMs(p50(many))} / ${formatMs(p99(many))}`,
    ]),
  };
}

function figuresTable(measurements: readonly Measurement[]): Table {
  return {
    title: 'Parked receives: what they cost while nothing happens',
    columns: [
      'system',
      'RSS MiB, one parked',
      'RSS MiB, all parked',
      'after idling',
      'database connections',
      'statements/s',
      'receives sent again/s',
      'CPU s/min service',
      'postgres',
    ],
    rows: measurements.map((measurement) => {
      const { peer, idle, usage } = measurement;
      const perMinute = (cpu: number | null) => (cpu === null ? null : (cpu * 60) / idle.figures.seconds);
      return [
        peer,
        formatCount(usage.one.rssMib),
        formatCount(usage.parked.rssMib),
        formatCount(usage.afterIdle.rssMib),
        formatCount(usage.afterIdle.connections),
        formatMs(idleTransactions(measurement)),
        formatMs(idle.figures.emptyReceives / idle.figures.seconds),
        formatCpu(perMinute(idle.cpu.service)),
        formatCpu(perMinute(idle.cpu.postgres)),
      ];
    }),
    notes: measurements.map(
      ({ peer, receives, subscriptions, idle }) =>
        `${peer}: ${formatCount(receives)} receives on ${formatCount(subscriptions)} subscriptions, idle for ${idle.figures.seconds.toFixed(0)} s.`,
    ),
  };
}
