// What the workloads have in common: the shape of the load, and how a window of it is put into
// words.

import type { Lab, MeasuredWindow, RunningPeer } from '../lab/lab.ts';
import { medianOf } from '../lab/samples.ts';
import { formatCount, formatCpu, formatMs, formatPercent } from '../lab/table.ts';
import type { LifecycleSettings } from '../load/lifecycle.ts';
import type { LifecycleFigures } from '../load/windows.ts';
import type { Options } from '../options.ts';

export const CONNECTIONS = 32;
export const QUEUES = 8;
export const BODY_BYTES = 512;

export type LifecycleWindow = MeasuredWindow<LifecycleFigures>;

export const lifecycleDriver = new URL('../load/lifecycle.ts', import.meta.url).href;
export const wakeupDriver = new URL('../load/wakeup.ts', import.meta.url).href;

/** What a workload need not say again. */
const lifecycleDefaults = {
  connections: CONNECTIONS,
  batch: 10,
  bodyBytes: BODY_BYTES,
  abandonEvery: 0,
  publishes: true,
  pauseMs: 0,
  windows: 1,
};

export type LifecycleOrder = Partial<LifecycleSettings> &
  Pick<LifecycleSettings, 'queues' | 'warmUpSeconds' | 'windowSeconds'>;

/** Runs lifecycles on all instances of a system, and returns the windows. */
export async function runLifecycles(
  lab: Lab,
  under: RunningPeer,
  order: LifecycleOrder,
  onWindow?: (done: number, window: LifecycleWindow) => Promise<void>,
): Promise<LifecycleWindow[]> {
  const settings: LifecycleSettings = { ...lifecycleDefaults, targets: under.targets, ...order };
  const aside = onWindow === undefined ? {} : { onWindow };
  const windows = await lab.runLoad<LifecycleSettings, LifecycleFigures>({
    driver: lifecycleDriver,
    settings,
    under,
    ...aside,
  });
  if (windows.length === 0) {
    throw new Error('the load ended without a window');
  }
  return windows;
}

/** As `runLifecycles`, for a load of one window. */
export async function runOneWindow(lab: Lab, under: RunningPeer, order: LifecycleOrder): Promise<LifecycleWindow> {
  const [window] = await runLifecycles(lab, under, { ...order, windows: 1 });
  if (window === undefined) {
    throw new Error('the load ended without a window');
  }
  return window;
}

/**
 * Lets a service that was just started become as fast as it will be, before anything is measured on
 * it.
 */
export async function warmUp(lab: Lab, under: RunningPeer, options: Options): Promise<void> {
  const window = await runOneWindow(lab, under, {
    queues: queueNames('warm-up'),
    warmUpSeconds: options.warmUpSeconds,
    windowSeconds: options.warmUpSeconds,
  });
  const [failure] = failuresOf(`warming up ${under.peer.name}`, [window]);
  if (failure !== undefined) {
    throw new Error(failure);
  }
}

/** `p50 / p99` of a kind of call, in milliseconds, medians over windows. */
export function callCell(windows: readonly LifecycleWindow[], call: 'publish' | 'receive' | 'acknowledge'): string {
  const p50 = medianOrNull(windows.map((window) => window.figures.calls[call].p50Ms));
  const p99 = medianOrNull(windows.map((window) => window.figures.calls[call].p99Ms));
  return `${formatMs(p50)} / ${formatMs(p99)}`;
}

/** New names for each phase, so that no phase finds what another one left behind. */
export function queueNames(phase: string, queues = QUEUES): string[] {
  return Array.from({ length: queues }, (_, index) => `${phase}-${index + 1}`);
}

/** Messages acknowledged per second. */
export function rateOf(window: LifecycleWindow): number {
  return window.figures.counters.acknowledged / window.figures.seconds;
}

/**
 * Messages acknowledged per processor second of the service and its database; null where those
 * cannot be read.
 */
export function thriftOf(window: LifecycleWindow): number | null {
  const { service, postgres } = window.cpu;
  // A system without a database has no such processes; one whose database is out of sight has, and
  // is not comparable.
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
