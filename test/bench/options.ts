// The command line of `npm run bench`, and what `--quick` and `--long` mean.

import { parseArgs } from 'node:util';

export interface Options {
  readonly quick: boolean;
  readonly long: boolean;
  readonly batches: readonly number[];
  /** Measured seconds of one system in one round. */
  readonly seconds: number;
  readonly rounds: number;
  readonly warmUpSeconds: number;
  readonly snapshotSeconds: number;
  /** Seconds of one window while a snapshot is held. */
  readonly windowSeconds: number;
  readonly wakeupSamples: number;
  /** Parked receives, and the subscriptions that they are spread over. */
  readonly parkedReceives: number;
  readonly parkedSubscriptions: number;
  readonly parkedIdleSeconds: number;
  /** Sizes of backlogs, ascending; the first is what the others are compared with. */
  readonly backlogs: readonly number[];
  /** Sizes of ledgers, ascending. */
  readonly ledgers: readonly number[];
  /** How much waits for a consumer who was away for a day. */
  readonly returningMessages: number;
  readonly soakSeconds: number;
  readonly soakWindowSeconds: number;
  /** Names of those to be measured. */
  readonly workloads: readonly string[];
  readonly peers: readonly string[];
  readonly databaseUrl: string | null;
  readonly jsonFile: string | null;
  /** Nothing is measured: plots and tables are made of files of figures. */
  readonly plots: { readonly directory: string; readonly figureFiles: readonly string[] } | null;
}

/** What there is to choose from. */
export interface Choices {
  readonly workloads: readonly (Choice & { readonly isLong: boolean })[];
  readonly peers: readonly Choice[];
}

interface Choice {
  readonly name: string;
  readonly summary: string;
}

/** A wrong command line; the message names the flag. */
export class UsageError extends Error {}

const COUNT_MAX = 100_000;
const MESSAGES_MAX = 100_000_000;

const flags = {
  help: { type: 'boolean', short: 'h', default: false },
  quick: { type: 'boolean', default: false },
  long: { type: 'boolean', default: false },
  seconds: { type: 'string' },
  rounds: { type: 'string' },
  batch: { type: 'string' },
  'snapshot-seconds': { type: 'string' },
  parked: { type: 'string' },
  'parked-subscriptions': { type: 'string' },
  backlog: { type: 'string' },
  ledger: { type: 'string' },
  returning: { type: 'string' },
  'soak-seconds': { type: 'string' },
  only: { type: 'string', multiple: true, default: [] as string[] },
  peer: { type: 'string', multiple: true, default: [] as string[] },
  'database-url': { type: 'string' },
  json: { type: 'string' },
  plots: { type: 'string' },
} as const;

/** Returns null when help was asked for; throws UsageError. */
export function parseOptions(args: readonly string[], known: Choices): Options | null {
  const { values, positionals } = parseFlags(args);
  if (values.help) {
    return null;
  }
  const { quick, long } = values;
  const pick = (small: number, usual: number, large = usual) => (quick ? small : long ? large : usual);
  const backlogs = quick ? '1000,20000' : long ? '1000,1000000,5000000,20000000' : '1000,1000000';
  return {
    quick,
    long,
    batches: parseCounts('batch', values.batch ?? '1,10,100', COUNT_MAX),
    seconds: parseCount('seconds', values.seconds, pick(2, 3, 5)),
    rounds: parseCount('rounds', values.rounds, pick(1, 3)),
    warmUpSeconds: pick(1, 2),
    snapshotSeconds: parseCount('snapshot-seconds', values['snapshot-seconds'], pick(6, 40, 600)),
    windowSeconds: pick(2, 10),
    wakeupSamples: pick(30, 200, 500),
    parkedReceives: parseCount('parked', values.parked, pick(200, 10_000)),
    parkedSubscriptions: parseCount('parked-subscriptions', values['parked-subscriptions'], pick(20, 1000)),
    parkedIdleSeconds: pick(3, 40, 120),
    backlogs: parseCounts('backlog', values.backlog ?? backlogs, MESSAGES_MAX),
    ledgers: parseCounts(
      'ledger',
      values.ledger ?? (quick ? '20000' : long ? '1000000,5000000' : '1000000'),
      MESSAGES_MAX,
    ),
    returningMessages: parseCount('returning', values.returning, pick(100_000, 1_000_000), MESSAGES_MAX),
    soakSeconds: parseCount('soak-seconds', values['soak-seconds'], pick(6, 3600)),
    soakWindowSeconds: pick(2, 30),
    workloads: chooseWorkloads(values.only, known, long),
    peers: choose('peer', values.peer, known.peers),
    databaseUrl: values['database-url'] ?? null,
    jsonFile: values.json ?? null,
    plots: parsePlots(values.plots, positionals),
  };
}

/** The text of `--help`. */
export function usage(known: Choices): string {
  return [
    'npm run bench -- [flags]',
    '',
    '  --quick               a smoke run: every phase for about two seconds; its figures mean nothing',
    '  --long                also what takes hours: a snapshot held for 600 s, a backlogs to 20 million, the soak',
    '  --seconds N           measured seconds of one system in one round (3; with --long 5)',
    '  --rounds N            rounds; systems take turns in each (3)',
    '  --batch 1,10,100      messages per call in the lifecycle workload',
    '  --snapshot-seconds N  how long a snapshot is held (40; with --long 600)',
    '  --parked N            parked receives (10000), over --parked-subscriptions N (1000)',
    '  --backlog N,N         sizes of backlogs (1000,1000000; with --long also 5000000,20000000)',
    '  --ledger N,N          sizes of ledgers in the growth workload (1000000; with --long also 5000000)',
    '  --returning N         what waits for a consumer who was away for a day (1000000)',
    '  --soak-seconds N      how long the soak lasts (3600)',
    '  --only NAME           this workload alone; may be repeated',
    '  --peer NAME           these systems alone; may be repeated',
    '  --database-url URL    use this server (as a superuser; databases willcall_bench_* are made and dropped)',
    '  --json FILE           write all figures there as well',
    '',
    'npm run bench -- --plots docs/performance figures.json [more.json …]',
    '',
    '  Measures nothing: draws the plots of earlier figures into that folder and writes the tables into the page of the',
    '  same name. Where several files hold a workload, the last one counts.',
    '',
    'workloads:',
    ...known.workloads.map(
      ({ name, summary, isLong }) => `  ${name.padEnd(20)}  ${summary}${isLong ? ' (--long)' : ''}`,
    ),
    '',
    'systems:',
    ...known.peers.map((peer) => `  ${peer.name.padEnd(20)}  ${peer.summary}`),
  ].join('\n');
}

function parseFlags(args: readonly string[]) {
  try {
    return parseArgs({ args: [...args], options: flags, strict: true, allowPositionals: true });
  } catch (error) {
    throw new UsageError(error instanceof Error ? error.message : String(error));
  }
}

function parsePlots(directory: string | undefined, figureFiles: readonly string[]): Options['plots'] {
  if (directory === undefined) {
    if (figureFiles.length > 0) {
      throw new UsageError(`"${figureFiles[0]}" is no flag; files of figures go with --plots`);
    }
    return null;
  }
  if (figureFiles.length === 0) {
    throw new UsageError('--plots: name the file of figures that --json wrote');
  }
  return { directory, figureFiles };
}

function parseCounts(flag: string, text: string, max: number): readonly number[] {
  return text
    .split(',')
    .map((part) => parseCount(flag, part, 0, max))
    .toSorted((a, b) => a - b);
}

function parseCount(flag: string, text: string | undefined, fallback: number, max = COUNT_MAX): number {
  if (text === undefined) {
    return fallback;
  }
  const count = Number(text);
  if (!Number.isInteger(count) || count < 1 || count > max) {
    throw new UsageError(`--${flag}: "${text}" is not a whole number from 1 to ${max}`);
  }
  return count;
}

/** By name, everything that was named; otherwise what is not long, or all. */
function chooseWorkloads(names: readonly string[], known: Choices, long: boolean): readonly string[] {
  const chosen = choose('only', names, known.workloads);
  if (names.length > 0 || long) {
    return chosen;
  }
  return known.workloads.filter((workload) => !workload.isLong).map((workload) => workload.name);
}

function choose(flag: string, names: readonly string[], choices: readonly Choice[]): readonly string[] {
  const all = choices.map((choice) => choice.name);
  const wrong = names.find((name) => !all.includes(name));
  if (wrong !== undefined) {
    throw new UsageError(`--${flag}: "${wrong}" is none of ${all.join(', ')}`);
  }
  return names.length === 0 ? all : all.filter((name) => names.includes(name));
}
