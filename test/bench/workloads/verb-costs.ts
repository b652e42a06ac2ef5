// What each verb costs by itself (load/verbs.ts), as workloads that vary one thing measure it.

import type { Lab, MeasuredWindow, RunningPeer } from '../lab/lab.ts';
import { formatMs, formatRatio, type Table } from '../lab/table.ts';
import { type VerbFigures, type VerbSettings, verbs } from '../load/verbs.ts';
import type { Options } from '../options.ts';
import { BODY_BYTES } from './shapes.ts';

export type VerbWindow = MeasuredWindow<VerbFigures>;

/** One point: what was varied, its value there, and what was measured. */
export interface VerbPoint {
  readonly factor: string;
  readonly value: number;
  readonly window: VerbWindow;
}

export interface VerbOrder {
  readonly topic: string;
  readonly subscription: string;
  readonly batch?: number;
  readonly bodyBytes?: number;
}

export const VERB_BATCH = 10;
export const verbTitles: Readonly<Record<(typeof verbs)[number], string>> = {
  publish: 'publish',
  receive: 'receive',
  acknowledge: 'acknowledge',
  extend: 'extend',
  release: 'release',
  receiveAgain: 'receive again',
  reject: 'reject',
};
const driver = new URL('../load/verbs.ts', import.meta.url).href;

export async function measureVerbs(
  lab: Lab,
  options: Options,
  under: RunningPeer,
  order: VerbOrder,
): Promise<VerbWindow> {
  const [target] = under.targets;
  if (target === undefined) {
    throw new Error('the system has no instance');
  }
  const settings: VerbSettings = {
    target,
    batch: VERB_BATCH,
    bodyBytes: BODY_BYTES,
    ...order,
    warmUpSeconds: options.quick ? 0.5 : 1,
    seconds: verbSeconds(options),
  };
  const [window] = await lab.runLoad<VerbSettings, VerbFigures>({ driver, settings, under });
  if (window === undefined) {
    throw new Error('the load ended without a window');
  }
  return window;
}

export function verbSeconds(options: Options): number {
  return options.quick ? 1 : 3;
}

/** Ratios to the first point of the factor, with the milliseconds beside them. */
export function verbTable(title: string, points: readonly VerbPoint[]): Table {
  const [first] = points;
  return {
    title,
    columns: [points[0]?.factor ?? '', ...verbs.map((verb) => verbTitles[verb])],
    rows: points.map(({ value, window }) => [
      value.toLocaleString('en-US'),
      ...verbs.map((verb) => {
        const p50 = window.figures.calls[verb].p50Ms;
        return `${formatRatio(p50, first?.window.figures.calls[verb].p50Ms ?? null)} (${formatMs(p50)} ms)`;
      }),
    ]),
    notes: ['p50 of one connection, one call at a time: how many times the first row, and milliseconds.'],
  };
}

export function verbFailures(label: string, points: readonly VerbPoint[]): string[] {
  return points
    .filter(({ window }) => window.figures.errors > 0)
    .map(
      ({ factor, value, window }) =>
        `${label}, ${factor} ${value}: ${window.figures.errors} errors, such as: ${window.figures.errorTexts.join(' | ')}`,
    );
}
