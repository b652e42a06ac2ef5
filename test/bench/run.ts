// `npm run bench`: measures Willcall against the usual design and the floor, in one run on one
// machine. Everything listens on loopback and is ended by pid, also on Ctrl-C; nothing stays on the
// disk but the JSON file.

import { Lab } from './lab/lab.ts';
import { describeMachine, type Machine, machineLines } from './lab/machine.ts';
import { renderTable } from './lab/table.ts';
import { type Options, parseOptions, UsageError, usage } from './options.ts';
import { peers } from './peers/index.ts';
import { installPackages } from './peers/installed.ts';
import type { Peer } from './peers/peer.ts';
import { writeFigures } from './report/figures.ts';
import { writeReport } from './report/report.ts';
import { workloads } from './workloads/index.ts';
import type { Workload, WorkloadResult } from './workloads/workload.ts';

const START_SECONDS = 10;
const EXIT_FAILED = 1;
const EXIT_USAGE = 2;
const EXIT_INTERRUPTED = 130;

interface Outcome extends WorkloadResult {
  readonly name: string;
}

class Interrupted extends Error {}

// A reader that left, such as `head`, must not keep what was started from being ended and removed.
process.stdout.on('error', () => {});
process.exitCode = await main();

async function main(): Promise<number> {
  let options: Options | null;
  try {
    options = parseOptions(process.argv.slice(2), { peers, workloads });
  } catch (error) {
    if (!(error instanceof UsageError)) {
      throw error;
    }
    process.stderr.write(`${error.message}\n\n${usage({ peers, workloads })}\n`);
    return EXIT_USAGE;
  }
  if (options === null) {
    print(usage({ peers, workloads }));
    return 0;
  }
  return options.plots === null ? measureAll(options) : drawPlots(options.plots);
}

async function drawPlots({ directory, figureFiles }: NonNullable<Options['plots']>): Promise<number> {
  try {
    const written = await writeReport(directory, figureFiles);
    print(written.join('\n'));
    return 0;
  } catch (error) {
    process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n`);
    return EXIT_FAILED;
  }
}

async function measureAll(options: Options): Promise<number> {
  const abort = new AbortController();
  if (chosenPeers(options).some((peer) => peer.needsPackages)) {
    await installPackages(progress);
  }
  const onSignal = () => abort.abort(new Interrupted('interrupted'));
  process.on('SIGINT', onSignal).on('SIGTERM', onSignal);
  const aborted = new Promise<never>((_, reject) => {
    abort.signal.addEventListener('abort', () => reject(abort.signal.reason));
  });
  aborted.catch(() => {});
  print(estimateLine(options));
  const lab = await Lab.open(options.databaseUrl, (error) => abort.abort(error));
  try {
    const machine = describeMachine(lab.cluster);
    const work = runWorkloads(lab, options);
    // Once aborted, what it was doing fails one way or another; the reason is what matters.
    work.catch(() => {});
    const outcomes = await Promise.race([work, aborted]);
    return await report(machine, options, outcomes);
  } catch (error) {
    process.stderr.write(`\n${error instanceof Error ? error.message : String(error)}\n`);
    return error instanceof Interrupted ? EXIT_INTERRUPTED : EXIT_FAILED;
  } finally {
    await lab.close();
  }
}

function estimateLine(options: Options): string {
  const seconds = chosenWorkloads(options).reduce(
    (sum, { workload, able }) => sum + workload.estimateSeconds(options, able),
    START_SECONDS,
  );
  const quick = options.quick ? ' (quick: the figures will be noise)' : '';
  return `This takes about ${seconds < 90 ? `${Math.ceil(seconds)} seconds` : `${Math.ceil(seconds / 60)} minutes`}${quick}.`;
}

/** What is to be run, each with those of the chosen systems that it can measure. */
function chosenWorkloads(options: Options): { workload: Workload; able: readonly Peer[] }[] {
  return workloads
    .filter((workload) => options.workloads.includes(workload.name))
    .map((workload) => ({ workload, able: chosenPeers(options).filter((peer) => workload.canMeasure(peer)) }));
}

function chosenPeers(options: Options): readonly Peer[] {
  return peers.filter((peer) => options.peers.includes(peer.name));
}

async function runWorkloads(lab: Lab, options: Options): Promise<Outcome[]> {
  const outcomes: Outcome[] = [];
  for (const { workload, able } of chosenWorkloads(options)) {
    if (able.length === 0) {
      progress(`${workload.name}: none of the chosen systems can do it`);
      continue;
    }
    progress(`${workload.name}: ${workload.summary}`);
    const result = await workload.run({ lab, options, peers: able, progress: (line) => progress(`  ${line}`) });
    outcomes.push({ name: workload.name, ...result });
  }
  return outcomes;
}

async function report(machine: Machine, options: Options, outcomes: readonly Outcome[]): Promise<number> {
  const systems = chosenPeers(options).map(({ name, summary }) => `${name}: ${summary}`);
  print(['', ...machineLines(machine), ...systems, ''].join('\n'));
  for (const outcome of outcomes) {
    for (const table of outcome.tables) {
      print(renderTable(table));
    }
  }
  const failures = outcomes.flatMap((outcome) => outcome.failures);
  if (options.jsonFile !== null) {
    const { databaseUrl: _url, jsonFile: _file, plots: _plots, ...settings } = options;
    const figures = Object.fromEntries(outcomes.map((outcome) => [outcome.name, outcome.data]));
    const tables = Object.fromEntries(outcomes.map((outcome) => [outcome.name, outcome.tables]));
    await writeFigures(options.jsonFile, { machine, settings, systems, figures, tables, failures });
  }
  if (failures.length > 0) {
    process.stderr.write(['This run does not count:', ...failures, ''].join('\n'));
    return EXIT_FAILED;
  }
  return 0;
}

function print(text: string): void {
  process.stdout.write(`${text}\n`);
}

// On standard error, so that standard output holds the report alone.
function progress(line: string): void {
  process.stderr.write(`${line}\n`);
}
