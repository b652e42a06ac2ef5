// Which plots are made of which figures. Each is a file of its own; a workload that was not
// measured has none.

import { medianOf, percentileOf } from '../lab/samples.ts';
import { verbs } from '../load/verbs.ts';
import { rateOf } from '../workloads/shapes.ts';
import { type VerbPoint, verbTitles } from '../workloads/verb-costs.ts';
import type { Figures } from './figures.ts';
import { type BarGroup, drawBars, drawLines, type Series } from './svg.ts';

export interface Plot {
  /** Without folder. */
  readonly file: string;
  readonly title: string;
  readonly svg: string;
}

/** A workload's plots, in the order in which a page shows them. */
export const plotters: { readonly [Name in keyof Figures]: (data: Figures[Name]) => Plot[] } = {
  lifecycle: plotLifecycles,
  shapes: plotShapes,
  'fan-out': plotFanOut,
  'held-snapshot': plotSnapshot,
  wakeup: plotWakeup,
  parked: plotParked,
  backlog: plotBacklog,
  returning: plotReturning,
  'noisy-neighbour': plotNoisy,
  'two-instances': plotTwoInstances,
  growth: ({ points }) => plotGrowth(points),
  soak: plotSoak,
};

/** Under the groups of a plot there is little room. */
const shortNames: Readonly<Record<string, string>> = {
  '1 connection': '1 conn.',
  '256 connections': '256 conn.',
  '1 subscription': '1 sub.',
  '1,000 subscriptions': '1,000 subs.',
  'batch 1, 512 B': 'batch 1',
  'batch 1, 16 KiB': '16 KiB',
  'batch 1, 256 KiB': '256 KiB',
};
const MIB = 1024 * 1024;
const SOAK_TABLES_MAX = 8;

function plotLifecycles(data: Figures['lifecycle']): Plot[] {
  const groups = distinct(data.map((one) => one.batch)).map((batch) => ({
    name: `batch ${batch}`,
    bars: distinct(data.map((one) => one.peer)).map((peer) => ({
      series: peer,
      value: median(data.filter((one) => one.peer === peer && one.batch === batch).map((one) => rateOf(one.window))),
    })),
  }));
  return [bars('lifecycle', 'Lifecycles: messages acknowledged per second', 'messages/s', groups, true)];
}

function plotShapes(data: Figures['shapes']): Plot[] {
  const peers = distinct(data.map((one) => one.peer));
  const groups = distinct(data.map((one) => one.variant.name)).map((name) => ({
    name: shortNames[name] ?? name,
    bars: peers.map((peer) => ({
      series: peer,
      value: median(
        data.filter((one) => one.peer === peer && one.variant.name === name).map((one) => rateOf(one.window)),
      ),
    })),
  }));
  return [bars('shapes', 'Shapes of load: messages acknowledged per second', 'messages/s', groups, true)];
}

function plotFanOut(data: Figures['fan-out']): Plot[] {
  const counts = distinct(data.map((one) => one.subscriptions));
  const rate = (subscriptions: number, collect: string, counter: 'published' | 'acknowledged') =>
    median(
      data
        .filter((one) => one.subscriptions === subscriptions && one.collect === collect)
        .map(({ window }) => window.figures.counters[counter] / window.figures.seconds),
    );
  const series: Series[] = [
    { name: 'published/s, publishing alone', points: counts.map((n) => [n, rate(n, 'not at all', 'published')]) },
    {
      name: 'acknowledged/s, everybody collecting',
      points: counts.map((n) => [n, rate(n, 'acknowledged separately', 'acknowledged')]),
    },
  ];
  return [
    lines(
      'fan-out',
      'Fan-out: one log for every subscription',
      ['subscriptions of a topic', 'messages/s'],
      'log',
      series,
    ),
  ];
}

function plotSnapshot(data: Figures['held-snapshot']): Plot[] {
  const series = data.map(({ peer, free, held }) => {
    const base = median(free.map(rateOf));
    let seconds = 0;
    const points = held.map((window): [number, number] => {
      seconds += window.figures.seconds;
      return [Math.round(seconds), (100 * rateOf(window)) / base];
    });
    return { name: peer, points: [[0, 100] as [number, number], ...points] };
  });
  const titles = ['seconds held', '% of messages/s before it'] as const;
  return [lines('held-snapshot', 'A snapshot is held, leases expire all the while', titles, 'linear', series)];
}

function plotWakeup(data: Figures['wakeup']): Plot[] {
  const percents = [1, 10, 25, 50, 75, 90, 95, 99, 100];
  const series = data.map(({ peer, way, window }) => ({
    name: `${peer}, ${way}`,
    points: percents.map((percent): [number, number] => [
      percent,
      percentileOf(window.figures.fromPublishStartMs, percent) ?? 0,
    ]),
  }));
  const titles = ['percentile', 'ms from the publish to the answer'] as const;
  return [lines('wakeup', 'Wake-up of a parked receive', titles, 'linear', series)];
}

function plotParked(data: Figures['parked']): Plot[] {
  const groups = data.map(({ peer, receives, one, many }) => ({
    name: peer,
    bars: [50, 99].flatMap((percent) => [
      { series: `p${percent}, one parked`, value: percentileOf(one.figures.fromPublishStartMs, percent) ?? 0 },
      {
        series: `p${percent}, ${receives.toLocaleString('en-US')} parked`,
        value: percentileOf(many.figures.fromPublishStartMs, percent) ?? 0,
      },
    ]),
  }));
  return [bars('parked', 'Wake-up of one parked receive, alone and among many', 'ms', groups, true)];
}

function plotBacklog({ measurements, points }: Figures['backlog']): Plot[] {
  const sizes = distinct(measurements.map((one) => one.messages));
  const series = (['p50Ms', 'p99Ms'] as const).map((percentile) => ({
    name: `receive, ${percentile.slice(0, 3)}`,
    points: sizes.map((messages): [number, number] => [
      messages,
      median(
        measurements
          .filter((one) => one.messages === messages)
          .map((one) => one.window.figures.calls.receive[percentile] ?? 0),
      ),
    ]),
  }));
  const titles = ['messages waiting', 'ms'] as const;
  return [lines('backlog', 'Receive in front of a backlog', titles, 'log', series), ...plotGrowth(points)];
}

function plotReturning(data: Figures['returning']): Plot[] {
  const bar = (name: string) => data.filter((one) => one.name === name);
  const groups: BarGroup[] = [
    {
      name: 'messages/s',
      bars: [...bar('plain lifecycles'), ...bar('he catches up')].map(({ name, window }) => ({
        series: name,
        value: rateOf(window),
      })),
    },
    {
      name: 'receive p99 of others, ms',
      bars: [...bar('others, it is offline'), ...bar('others, meanwhile')].map(({ name, window }) => ({
        series: name,
        value: window.figures.calls.receive.p99Ms ?? 0,
      })),
    },
  ];
  return [bars('returning', 'A consumer comes back after a day', '', groups, true)];
}

function plotNoisy(data: Figures['noisy-neighbour']): Plot[] {
  const groups = data.map(({ peer, alone, beside }) => ({
    name: peer,
    bars: [
      { series: 'p50 alone', value: alone.figures.calls.receive.p50Ms ?? 0 },
      { series: 'p50 beside him', value: beside.figures.calls.receive.p50Ms ?? 0 },
      { series: 'p99 alone', value: alone.figures.calls.receive.p99Ms ?? 0 },
      { series: 'p99 beside him', value: beside.figures.calls.receive.p99Ms ?? 0 },
    ],
  }));
  return [bars('noisy-neighbour', 'Receives of quiet clients, alone and beside one that hammers', 'ms', groups, true)];
}

function plotTwoInstances(data: Figures['two-instances']): Plot[] {
  const groups = (['full', 'paced'] as const).flatMap((load) =>
    distinct(data.map((one) => one.batch)).map((batch) => ({
      name: load === 'full' ? `batch ${batch}` : `batch ${batch}, paced`,
      bars: [1, 2].map((instances) => ({
        series: instances === 1 ? 'one instance' : 'two instances',
        value: median(
          data
            .filter((one) => one.load === load && one.batch === batch && one.instances === instances)
            .map((one) => rateOf(one.window)),
        ),
      })),
    })),
  );
  return [bars('two-instances', 'Two instances on one database', 'messages/s', groups, true)];
}

/** One plot for each thing that was varied. */
function plotGrowth(points: readonly VerbPoint[]): Plot[] {
  return distinct(points.map((point) => point.factor)).map((factor) => {
    const series = verbs.map((verb) => ({
      name: verbTitles[verb],
      points: points
        .filter((point) => point.factor === factor)
        .map((point): [number, number] => [point.value, point.window.figures.calls[verb].p50Ms ?? 0]),
    }));
    const file = `growth-${factor.replaceAll(' ', '-')}`;
    return lines(file, `Each verb by itself, by ${factor}`, [factor, 'ms (p50)'], 'log', series);
  });
}

function plotSoak(data: Figures['soak']): Plot[] {
  return data.flatMap(({ samples }) => {
    const last = samples.at(-1)?.sizes ?? [];
    const tables = last
      .toSorted((a, b) => b.tableBytes + b.indexBytes - (a.tableBytes + a.indexBytes))
      .slice(0, SOAK_TABLES_MAX)
      .map((size) => size.table);
    const sizes = tables.map((table) => ({
      name: table,
      points: samples.map((sample): [number, number] => {
        const size = sample.sizes.find((one) => one.table === table);
        return [sample.seconds / 60, ((size?.tableBytes ?? 0) + (size?.indexBytes ?? 0)) / MIB];
      }),
    }));
    const rate = {
      name: 'messages/s',
      points: samples.map((sample): [number, number] => [sample.seconds / 60, sample.messagesPerSecond]),
    };
    return [
      lines('soak-sizes', 'Soak: tables with their indexes', ['minutes', 'MiB'], 'linear', sizes),
      lines('soak-rate', 'Soak: messages acknowledged per second', ['minutes', 'messages/s'], 'linear', [rate]),
    ];
  });
}

function bars(name: string, title: string, yTitle: string, groups: readonly BarGroup[], ownAxes: boolean): Plot {
  return { file: `${name}.svg`, title, svg: drawBars({ title, yTitle, groups, ownAxes }) };
}

function lines(
  name: string,
  title: string,
  [xTitle, yTitle]: readonly [x: string, y: string],
  xAxis: 'linear' | 'log',
  series: readonly Series[],
): Plot {
  const yAxis = name.startsWith('growth') ? 'log' : 'linear';
  return { file: `${name}.svg`, title, svg: drawLines({ title, xTitle, yTitle, xAxis, yAxis, series }) };
}

function median(values: readonly number[]): number {
  return medianOf(values) ?? 0;
}

function distinct<Value>(values: readonly Value[]): Value[] {
  return [...new Set(values)];
}
