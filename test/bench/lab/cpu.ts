// Processor time, read from /proc: what a process and (for PostgreSQL) all its children have used
// so far. Children that have ended are included, since their parent has waited for them. Where
// there is no /proc, everything is null.

import { execFileSync } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';

export interface CpuParties {
  /** The processes of the system under test. */
  readonly service: readonly number[];
  /**
   * The postmaster; 'none' for a system without a database, null when it cannot be seen from here.
   */
  readonly postgres: number | 'none' | null;
  readonly load: number | null;
}

/**
 * Seconds of processor time, user and system; null where they cannot be read, 0 where there is no
 * such party.
 */
export interface CpuSeconds {
  readonly service: number | null;
  readonly postgres: number | null;
  readonly load: number | null;
}

interface ProcessTimes {
  readonly parent: number;
  readonly ownTicks: number;
  readonly endedChildrenTicks: number;
}

const ticksPerSecond = readTicksPerSecond();

/** What each party has used since it was started. */
export function readCpu(parties: CpuParties): CpuSeconds {
  const service = parties.service.map((pid) => readTimes(pid));
  return {
    service: service.includes(null) ? null : seconds(service.reduce((sum, times) => sum + (times?.ownTicks ?? 0), 0)),
    postgres: readPostgres(parties.postgres),
    load: parties.load === null ? null : seconds(readTimes(parties.load)?.ownTicks ?? null),
  };
}

export function subtractCpu(later: CpuSeconds, earlier: CpuSeconds): CpuSeconds {
  const subtract = (a: number | null, b: number | null) => (a === null || b === null ? null : a - b);
  return {
    service: subtract(later.service, earlier.service),
    postgres: subtract(later.postgres, earlier.postgres),
    load: subtract(later.load, earlier.load),
  };
}

function readPostgres(postmaster: CpuParties['postgres']): number | null {
  if (postmaster === 'none') {
    return 0;
  }
  return postmaster === null ? null : readTree(postmaster);
}

/** The parent of a process of that command; null when there is none such on this machine. */
export function findParent(pid: number, command: string): number | null {
  try {
    if (readFileSync(`/proc/${pid}/comm`, 'latin1').trim() !== command) {
      return null;
    }
  } catch {
    return null;
  }
  return readTimes(pid)?.parent ?? null;
}

function readTree(root: number): number | null {
  const rootTimes = readTimes(root);
  if (rootTimes === null) {
    return null;
  }
  const children = readdirSync('/proc')
    .filter((entry) => /^\d+$/.test(entry))
    .map((entry) => readTimes(Number(entry)))
    .filter((times) => times?.parent === root);
  const childrenTicks = children.reduce((sum, times) => sum + (times?.ownTicks ?? 0), 0);
  return seconds(rootTimes.ownTicks + rootTimes.endedChildrenTicks + childrenTicks);
}

// Fields of proc_pid_stat(5), counted after the command's name, which may itself hold blanks and
// brackets.
function readTimes(pid: number): ProcessTimes | null {
  let text: string;
  try {
    text = readFileSync(`/proc/${pid}/stat`, 'latin1');
  } catch {
    return null;
  }
  const fields = text
    .slice(text.lastIndexOf(')') + 2)
    .split(' ')
    .map(Number);
  const field = (index: number) => fields[index] ?? 0;
  return { parent: field(1), ownTicks: field(11) + field(12), endedChildrenTicks: field(13) + field(14) };
}

function seconds(ticks: number): number;
function seconds(ticks: number | null): number | null;
function seconds(ticks: number | null): number | null {
  return ticks === null ? null : ticks / ticksPerSecond;
}

function readTicksPerSecond(): number {
  try {
    return Number(execFileSync('getconf', ['CLK_TCK'], { encoding: 'utf8' }));
  } catch {
    return 100;
  }
}
