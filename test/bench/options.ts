// The command line of `npm run bench`, and what `--quick` means.

import { parseArgs } from 'node:util';

export interface Options {
  readonly quick: boolean;
  readonly batches: readonly number[];
  /** Measured seconds of one system in one round. */
  readonly seconds: number;
  readonly rounds: number;
  readonly warmUpSeconds: number;
  readonly snapshotSeconds: number;
  /** Seconds of one window while a snapshot is held. */
  readonly windowSeconds: number;
  readonly wakeupSamples: number;
  /** Names of those to be measured. */
  readonly workloads: readonly string[];
  readonly peers: readonly string[];
  readonly databaseUrl: string | null;
  readonly jsonFile: string | null;
}

/** What there is to choose from. */
export interface Choices {
  readonly workloads: readonly Choice[];
  readonly peers: readonly Choice[];
}

interface Choice {
  readonly name: string;
  readonly summary: string;
}

/** A wrong command line; the message names the flag. */
export class UsageError extends Error {}

const flags = {
  help: { type: 'boolean', short: 'h', default: false },
  quick: { type: 'boolean', default: false },
  seconds: { type: 'string' },
  rounds: { type: 'string' },
  batch: { type: 'string' },
  'snapshot-seconds': { type: 'string' },
  only: { type: 'string', multiple: true, default: [] as string[] },
  peer: { type: 'string', multiple: true, default: [] as string[] },
  'database-url': { type: 'string' },
  json: { type: 'string' },
} as const;

/** Returns null when help was asked for; throws UsageError. */
export function parseOptions(args: readonly string[], known: Choices): Options | null {
  const values = parseFlags(args);
  if (values.help) {
    return null;
  }
  const { quick } = values;
  return {
    quick,
    batches: (values.batch ?? '1,10,100').split(',').map((text) => parseCount('batch', text, 0)),
    seconds: parseCount('seconds', values.seconds, quick ? 2 : 10),
    rounds: parseCount('rounds', values.rounds, quick ? 1 : 3),
    warmUpSeconds: quick ? 1 : 3,
    snapshotSeconds: parseCount('snapshot-seconds', values['snapshot-seconds'], quick ? 6 : 120),
    windowSeconds: quick ? 2 : 10,
    wakeupSamples: quick ? 30 : 300,
    workloads: choose('only', values.only, known.workloads),
    peers: choose('peer', values.peer, known.peers),
    databaseUrl: values['database-url'] ?? null,
    jsonFile: values.json ?? null,
  };
}

/** The text of `--help`. */
export function usage(known: Choices): string {
  return [
    'npm run bench -- [flags]',
    '',
    '  --quick               a smoke run: every phase for about two seconds; its figures mean nothing',
    '  --seconds N           measured seconds of one system in one round (10)',
    '  --rounds N            rounds; systems take turns in each (3)',
    '  --batch 1,10,100      messages per call in the lifecycle workload',
    '  --snapshot-seconds N  how long a snapshot is held (120)',
    '  --only NAME           this workload alone; may be repeated',
    '  --peer NAME           these systems alone; may be repeated',
    '  --database-url URL    use this server (as a superuser; databases willcall_bench_* are made and dropped)',
    '  --json FILE           write all figures there as well',
    '',
    'workloads:',
    ...known.workloads.map((workload) => `  ${workload.name.padEnd(20)}  ${workload.summary}`),
    '',
    'systems:',
    ...known.peers.map((peer) => `  ${peer.name.padEnd(20)}  ${peer.summary}`),
  ].join('\n');
}

function parseFlags(args: readonly string[]) {
  try {
    return parseArgs({ args: [...args], options: flags, strict: true, allowPositionals: false }).values;
  } catch (error) {
    throw new UsageError(error instanceof Error ? error.message : String(error));
  }
}

function parseCount(flag: string, text: string | undefined, fallback: number): number {
  if (text === undefined) {
    return fallback;
  }
  const count = Number(text);
  if (!Number.isInteger(count) || count < 1 || count > 100_000) {
    throw new UsageError(`--${flag}: "${text}" is not a whole number from 1 to 100000`);
  }
  return count;
}

function choose(flag: string, names: readonly string[], choices: readonly Choice[]): readonly string[] {
  const all = choices.map((choice) => choice.name);
  const wrong = names.find((name) => !all.includes(name));
  if (wrong !== undefined) {
    throw new UsageError(`--${flag}: "${wrong}" is none of ${all.join(', ')}`);
  }
  return names.length === 0 ? all : all.filter((name) => names.includes(name));
}
