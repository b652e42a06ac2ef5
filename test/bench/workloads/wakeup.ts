// Wake-up latency: how soon a parked receive is answered once something was published, on the same
// instance and with the publish on one instance and the receive on another.

import type { MeasuredWindow, RunningPeer } from '../lab/lab.ts';
import { percentileOf } from '../lab/samples.ts';
import { formatCpu, formatMs, formatRatio, type Table } from '../lab/table.ts';
import type { WakeupFigures, WakeupSettings } from '../load/wakeup.ts';
import type { Options } from '../options.ts';
import { BODY_BYTES, wakeupDriver } from './shapes.ts';
import type { Workload, WorkloadContext, WorkloadResult } from './workload.ts';

interface Measurement {
  readonly peer: string;
  readonly way: string;
  readonly window: MeasuredWindow<WakeupFigures>;
}

export type WakeupData = readonly Measurement[];

const PAUSE_MS_MIN = 20;
const PAUSE_MS_MAX = 60;
const START_SECONDS = 10;

export const wakeup: Workload = {
  name: 'wakeup',
  summary: 'from a publish to the answer of a parked receive, on one instance and across two',
  isLong: false,
  canMeasure: (peer) => peer.canWait,
  estimateSeconds: (options, peers) => {
    const sampleSeconds = (PAUSE_MS_MIN + PAUSE_MS_MAX) / 2 / 1000 + 0.02;
    return peers.length * (START_SECONDS + 2 * options.wakeupSamples * sampleSeconds);
  },
  run: runWakeup,
};

async function runWakeup({ lab, options, peers, progress }: WorkloadContext): Promise<WorkloadResult> {
  const measurements: Measurement[] = [];
  for (const peer of peers) {
    const under = await lab.startPeer(peer, Math.min(2, peer.instancesMax));
    for (const { way, settings } of waysThrough(under, options)) {
      progress(`${peer.name}, ${way}: ${options.wakeupSamples} samples`);
      const [window] = await lab.runLoad<WakeupSettings, WakeupFigures>({ driver: wakeupDriver, settings, under });
      if (window === undefined) {
        throw new Error('the load ended without a window');
      }
      measurements.push({ peer: peer.name, way, window });
    }
    await under.stop();
  }
  return {
    tables: [latencyTable(measurements)],
    data: measurements,
    failures: measurements
      .filter(({ window }) => window.figures.errors > 0)
      .map(
        ({ peer, way, window }) => `wakeup, ${peer}, ${way}: ${window.figures.errors} receives missed their message`,
      ),
  };
}

function waysThrough(under: RunningPeer, options: Options): { way: string; settings: WakeupSettings }[] {
  const [first, second] = under.targets;
  const common = {
    bodyBytes: BODY_BYTES,
    samples: options.wakeupSamples,
    pauseMsMin: PAUSE_MS_MIN,
    pauseMsMax: PAUSE_MS_MAX,
  };
  const ways: { way: string; settings: WakeupSettings }[] = [];
  if (first !== undefined) {
    ways.push({
      way: 'one instance',
      settings: { ...common, queue: 'wakeup-one', publishTo: first, receiveFrom: first },
    });
  }
  if (first !== undefined && second !== undefined) {
    ways.push({
      way: 'two instances',
      settings: { ...common, queue: 'wakeup-two', publishTo: first, receiveFrom: second },
    });
  }
  return ways;
}

function latencyTable(measurements: readonly Measurement[]): Table {
  const three = (samples: readonly number[]) =>
    [50, 99, 100].map((percent) => formatMs(percentileOf(samples, percent))).join(' / ');
  return {
    title: 'Wake-up: from a publish to the answer of a parked receive, in milliseconds (p50 / p99 / max)',
    columns: [
      'system',
      'of a publish (p50)',
      "from the publish's answer",
      'from its start',
      'publish itself',
      'CPU s service',
      'postgres',
    ],
    rows: measurements.map(({ peer, way, window: { figures, cpu } }) => [
      `${peer}, ${way}`,
      formatRatio(percentileOf(figures.fromPublishStartMs, 50), percentileOf(figures.publishMs, 50)),
      three(figures.fromPublishAnswerMs),
      three(figures.fromPublishStartMs),
      three(figures.publishMs),
      formatCpu(cpu.service),
      formatCpu(cpu.postgres),
    ]),
    notes: [
      'of a publish: start to receive, as a multiple of what the publish alone took.',
      "Below zero from the publish's answer: the receive was answered first.",
    ],
  };
}
