// What the workloads have in common: the shape of the load, and how a window of it is put into words.

import { medianOf } from '../lab/histogram.ts';
import type { MeasuredWindow } from '../lab/lab.ts';
import { formatCount, formatCpu, formatPercent } from '../lab/table.ts';
import type { LifecycleFigures } from '../load/lifecycle.ts';

export const CONNECTIONS = 32;
export const QUEUES = 8;
export const BODY_BYTES = 512;

export type LifecycleWindow = MeasuredWindow<LifecycleFigures>;

export const lifecycleDriver = new URL('../load/lifecycle.ts', import.meta.url).href;
export const wakeupDriver = new URL('../load/wakeup.ts', import.meta.url).href;

/** New names for each phase, so that no phase finds what another one left behind. */
export function queueNames(phase: string): string[] {
  return Array.from({ length: QUEUES }, (_, index) => `${phase}-${index + 1}`);
}

/** Messages acknowledged per second. */
export function rateOf(window: LifecycleWindow): number {
  return window.figures.counters.acknowledged / window.figures.seconds;
}

/** Messages acknowledged per processor second of the service and its database; null where those cannot be read. */
export function thriftOf(window: LifecycleWindow): number | null {
  const { service, postgres } = window.cpu;
  // A system without a database has no such processes; one whose database is out of sight has, and is not comparable.
  return service === null || service === 0 || postgres === null
    ? null
    : window.figures.counters.acknowledged / (service + postgres);
}

export function failuresOf(label: string, windows: readonly LifecycleWindow[]): string[] {
  return windows
    .filter((window) => window.figures.errors > 0)
    .map((window) => `${label}: ${window.figures.errors} errors, such as: ${window.figures.errorTexts.join(' | ')}`);
}

export const cpuColumns = ['messages/CPU s', 'CPU s service', 'postgres', 'load', 'load share'] as const;

/** Medians over windows; the share is what part of one core the load generator took. */
export function cpuCells(windows: readonly LifecycleWindow[]): string[] {
  const service = medianOrNull(windows.map((window) => window.cpu.service));
  const postgres = medianOrNull(windows.map((window) => window.cpu.postgres));
  const load = medianOrNull(windows.map((window) => window.cpu.load));
  const seconds = medianOf(windows.map((window) => window.figures.seconds));
  return [
    formatCount(medianOrNull(windows.map(thriftOf))),
    formatCpu(service),
    formatCpu(postgres),
    formatCpu(load),
    formatPercent(load, seconds),
  ];
}

/** Null as soon as one of them is. */
export function medianOrNull(values: readonly (number | null)[]): number | null {
  const known = values.filter((value) => value !== null);
  return known.length === values.length ? medianOf(known) : null;
}
