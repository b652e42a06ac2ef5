// What we hold ourselves to, each a ratio of one run, and where the figures stand. A target whose
// workload was not measured says so.

import { medianOf, percentileOf } from '../lab/samples.ts';
import type { RelationSize } from '../lab/sizes.ts';
import { formatCount, type Table } from '../lab/table.ts';
import { idleTransactions } from '../workloads/parked.ts';
import { rateOf } from '../workloads/shapes.ts';
import { ratioOfTwo } from '../workloads/two-instances.ts';
import type { Figures } from './figures.ts';

interface Reading {
  readonly measured: string;
  readonly isMet: boolean;
}

interface Target {
  readonly name: string;
  readonly wanted: string;
  /** Null when it was not measured. */
  read(figures: Partial<Figures>): Reading | null;
}

const IDLE_CPU_PERCENT_MAX = 1;
const RSS_MIB_MAX = 300;
const CONNECTIONS_MAX = 12;
const AS_FAST = 1.2;
/** As many, but for what two runs of the same differ by. */
const AS_MANY = 0.98;

const targets: readonly Target[] = [
  ...[
    { batch: 1, peer: 'fauxqs', atLeast: 1 },
    { batch: 1, peer: 'noop', atLeast: 0.5 },
    { batch: 10, peer: 'fauxqs', atLeast: 1 },
    { batch: 100, peer: 'fauxqs', atLeast: 2 },
    { batch: 1, peer: 'row-per-message', atLeast: 3 },
    { batch: 10, peer: 'row-per-message', atLeast: 4 },
    { batch: 100, peer: 'row-per-message', atLeast: 4 },
  ].map(({ batch, peer, atLeast }) => ({
    name: `lifecycles, batch ${batch}, of ${peer}`,
    wanted: `≥ ${atLeast} x`,
    read: ({ lifecycle }: Partial<Figures>) => compareLifecycles(lifecycle, batch, peer, atLeast),
  })),
  {
    name: 'left while a snapshot is held',
    wanted: '≥ 80 %',
    read: ({ 'held-snapshot': snapshot }) => {
      const own = snapshot?.find((one) => one.peer === 'willcall');
      const free = medianOf(own?.free.map(rateOf) ?? []);
      const last = own?.held.at(-1);
      if (free === null || last === undefined) {
        return null;
      }
      const part = rateOf(last) / free;
      return { measured: `${(100 * part).toFixed(0)} %`, isMet: part >= 0.8 };
    },
  },
  {
    name: 'publishing to 100 subscriptions, of one (CPU per message)',
    wanted: '≤ 1.10 x',
    read: ({ 'fan-out': fanOut }) => {
      const cost = (subscriptions: number) =>
        medianOf(
          (fanOut ?? [])
            .filter((one) => one.subscriptions === subscriptions && one.collect === 'not at all')
            .map(
              ({ window: { cpu, figures } }) => ((cpu.service ?? 0) + (cpu.postgres ?? 0)) / figures.counters.published,
            ),
        );
      return atMost(cost(100), cost(1), 1.1);
    },
  },
  {
    name: 'memory with all receives parked',
    wanted: `< ${RSS_MIB_MAX} MiB`,
    read: ({ parked }) => ofParked(parked, ({ usage }) => readLimit(usage.afterIdle.rssMib, RSS_MIB_MAX, 'MiB')),
  },
  {
    name: 'database connections with all receives parked',
    wanted: `≤ ${CONNECTIONS_MAX}`,
    read: ({ parked }) => ofParked(parked, ({ usage }) => readLimit(usage.afterIdle.connections, CONNECTIONS_MAX, '')),
  },
  {
    name: 'processor time of the database with all receives parked',
    wanted: `≤ ${IDLE_CPU_PERCENT_MAX} % of a core`,
    read: ({ parked }) => ofParked(parked, readIdleLoad),
  },
  {
    name: 'wake-up of one among all parked, of one alone (p50)',
    wanted: `≤ ${AS_FAST} x`,
    read: ({ parked }) =>
      ofParked(parked, ({ many, one }) =>
        atMost(
          percentileOf(many.figures.fromPublishStartMs, 50),
          percentileOf(one.figures.fromPublishStartMs, 50),
          AS_FAST,
        ),
      ),
  },
  {
    name: 'receive p99 at the largest backlog, of the smallest',
    wanted: '≤ 1.20 x',
    read: ({ backlog }) => {
      const sizes = (backlog?.measurements ?? []).map((one) => one.messages);
      const p99 = (messages: number) =>
        medianOf(
          (backlog?.measurements ?? [])
            .filter((one) => one.messages === messages)
            .map((one) => one.window.figures.calls.receive.p99Ms ?? 0),
        );
      const reading = sizes.length === 0 ? null : atMost(p99(Math.max(...sizes)), p99(Math.min(...sizes)), 1.2);
      return reading === null
        ? null
        : { ...reading, measured: `${reading.measured} (${formatCount(Math.max(...sizes))} messages)` };
    },
  },
  {
    name: 'two instances, of one, where cores are left (paced load, worst batch)',
    wanted: `≥ ${AS_MANY} x`,
    read: ({ 'two-instances': instances }) => compareInstances(instances, 'paced'),
  },
  {
    name: 'two instances, of one, where one takes all cores (full load, worst batch)',
    wanted: `≥ ${AS_MANY} x`,
    read: ({ 'two-instances': instances }) => compareInstances(instances, 'full'),
  },
  {
    name: 'tables and indexes in the second half of the soak, at their largest, of the first (largest growth)',
    wanted: '≤ 1.20 x',
    read: ({ soak }) => readSoak(soak),
  },
];

export function targetTable(figures: Partial<Figures>): Table {
  return {
    title: 'Targets',
    columns: ['target', 'wanted', 'measured', 'met'],
    rows: targets.map((target) => {
      const reading = target.read(figures);
      return [
        target.name,
        target.wanted,
        reading?.measured ?? 'not measured',
        reading === null ? '' : reading.isMet ? 'yes' : 'no',
      ];
    }),
  };
}

function compareLifecycles(
  lifecycle: Figures['lifecycle'] | undefined,
  batch: number,
  peer: string,
  atLeast: number,
): Reading | null {
  const rate = (name: string) =>
    medianOf(
      (lifecycle ?? []).filter((one) => one.peer === name && one.batch === batch).map((one) => rateOf(one.window)),
    );
  const own = rate('willcall');
  const other = rate(peer);
  if (own === null || other === null) {
    return null;
  }
  return { measured: `${(own / other).toFixed(2)} x`, isMet: own / other >= atLeast };
}

function atMost(value: number | null, of: number | null, max: number): Reading | null {
  return value === null || of === null || of === 0
    ? null
    : { measured: `${(value / of).toFixed(2)} x`, isMet: value / of <= max };
}

function readLimit(value: number | null, max: number, unit: string): Reading | null {
  return value === null
    ? null
    : { measured: `${value.toFixed(value < 10 ? 1 : 0)} ${unit}`.trim(), isMet: value <= max };
}

/** What is left to be asked for while nothing happens, and what it costs. */
function readIdleLoad(own: Figures['parked'][number]): Reading | null {
  const { cpu, figures } = own.idle;
  const statements = idleTransactions(own);
  if (cpu.postgres === null || statements === null) return null;
  const percent = (100 * cpu.postgres) / figures.seconds;
  return {
    measured: `${percent.toFixed(2)} % (${statements.toFixed(1)} statements/s)`,
    isMet: percent <= IDLE_CPU_PERCENT_MAX,
  };
}

function ofParked(
  parked: Figures['parked'] | undefined,
  read: (own: Figures['parked'][number]) => Reading | null,
): Reading | null {
  const own = parked?.find((one) => one.peer === 'willcall');
  return own === undefined ? null : read(own);
}

function compareInstances(
  instances: Figures['two-instances'] | undefined,
  load: Figures['two-instances'][number]['load'],
): Reading | null {
  const ratios = [...new Set((instances ?? []).map((one) => one.batch))]
    .map((batch) => ratioOfTwo(instances ?? [], load, batch))
    .filter((ratio) => ratio !== null);
  const worst = Math.min(...ratios);
  return ratios.length === 0 ? null : { measured: `${worst.toFixed(2)} x`, isMet: worst >= AS_MANY };
}

/**
 * Of tables that matter: above a hundredth of all. What grows without end is larger in the second
 * half than it ever was in the first; single samples are further apart than that, since pruning
 * comes once a minute.
 */
function readSoak(soak: Figures['soak'] | undefined): Reading | null {
  const samples = soak?.[0]?.samples ?? [];
  const half = Math.floor(samples.length / 2);
  const largest = (part: typeof samples, table: string) =>
    Math.max(0, ...part.flatMap(({ sizes }) => sizes.filter((size) => size.table === table).map(bytesOf)));
  const end = samples.at(-1)?.sizes ?? [];
  const all = end.reduce((sum, size) => sum + bytesOf(size), 0);
  const growth = end
    .filter((size) => bytesOf(size) > all / 100 && largest(samples.slice(0, half), size.table) > 0)
    .map(({ table }) => ({
      table,
      ratio: largest(samples.slice(half), table) / largest(samples.slice(0, half), table),
    }))
    .toSorted((a, b) => b.ratio - a.ratio)[0];
  return growth === undefined
    ? null
    : { measured: `${growth.ratio.toFixed(2)} x (${growth.table})`, isMet: growth.ratio <= 1.2 };
}

function bytesOf({ tableBytes, indexBytes }: RelationSize): number {
  return tableBytes + indexBytes;
}
