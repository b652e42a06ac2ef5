// What a figure was measured on. Absolute figures mean nothing without it, and little with it:
// compare ratios.

import { readFileSync } from 'node:fs';
import { availableParallelism, cpus, loadavg, platform, release, totalmem } from 'node:os';
import type { Cluster } from './cluster.ts';

export interface Machine {
  readonly cores: number;
  readonly processor: string;
  readonly memoryGib: number;
  readonly system: string;
  readonly node: string;
  readonly fastify: string;
  readonly postgres: string;
  readonly settings: Readonly<Record<string, string>>;
  /**
   * Runnable processes, averaged over a minute, before the run: well above 0 means that others used
   * the machine.
   */
  readonly loadBefore: number;
}

export function describeMachine(cluster: Cluster): Machine {
  const fastify = new URL('package.json', import.meta.resolve('fastify'));
  return {
    cores: availableParallelism(),
    processor: cpus()[0]?.model ?? 'unknown',
    memoryGib: Math.round(totalmem() / 2 ** 30),
    system: `${platform()} ${release()}`,
    node: process.versions.node,
    fastify: (JSON.parse(readFileSync(fastify, 'utf8')) as { version: string }).version,
    postgres: cluster.version,
    settings: cluster.settings,
    loadBefore: loadavg()[0] ?? 0,
  };
}

/** Two lines for the head of a report. */
export function machineLines(machine: Machine): string[] {
  const { cores, processor, memoryGib, system, node, fastify, postgres, settings, loadBefore } = machine;
  const listed = Object.entries(settings).map(([name, value]) => `${name} ${value}`);
  return [
    `${cores} cores (${processor}), ${memoryGib} GiB, ${system}, load before ${loadBefore.toFixed(1)}`,
    `Node ${node}, Fastify ${fastify}, PostgreSQL ${postgres}: ${listed.join(', ')}`,
  ];
}
