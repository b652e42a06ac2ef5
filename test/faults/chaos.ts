// `npm run chaos -- --minutes 60 --seed N`: rounds of faults until the time is over. Each round has
// a seed of its own, counted up from the first, so that a round that failed can be had again alone:
// --seed M --rounds 1. A failure prints the seed and the shortest history that shows it, keeps the
// directory with database and logs, and ends the run. With --alone faults do not overlap, and the
// time until every instance serves again is that fault's own.

import { parseArgs } from 'node:util';
import { describeFailure } from './failure.ts';
import { faults, longFaults } from './faults/index.ts';
import { createTally, type Tally } from './figures.ts';
import { openLab } from './lab/lab.ts';
import { playRound } from './round.ts';

const HOUR_MS = 3_600_000;
/** After the database is back, the service must work by itself within seconds. */
const RECOVERY_MS_MAX = 20_000;
const USAGE = 'npm run chaos -- [--minutes N] [--rounds N] [--seed N] [--only PATTERN] [--alone] [--quiet]';

const { values } = parseArgs({
  options: {
    minutes: { type: 'string', default: '10' },
    rounds: { type: 'string', default: '1000000' },
    seed: { type: 'string', default: String(Date.now() % 2 ** 31) },
    only: { type: 'string', default: '' },
    alone: { type: 'boolean', default: false },
    quiet: { type: 'boolean', default: false },
  },
});
const [minutes, rounds, firstSeed] = [values.minutes, values.rounds, values.seed].map(Number) as [
  number,
  number,
  number,
];
if (![minutes, rounds, firstSeed].every((number) => Number.isFinite(number) && number >= 0)) {
  throw new Error(`These are not numbers: ${USAGE}`);
}
const say = (line: string) => void process.stdout.write(`${line}\n`);
const chosen = [...faults, ...longFaults].filter(({ name }) => new RegExp(values.only, 'i').test(name));

const begun = performance.now();
const lab = await openLab({ clockShiftsMs: [0, HOUR_MS] });
const tally = createTally();
process.once('SIGINT', () => void lab.end().then(() => process.exit(130)));
let failed = false;
try {
  for (let no = 0; no < rounds && performance.now() - begun < minutes * 60_000 && !failed; no += 1) {
    failed = await runRound(firstSeed + no);
  }
} catch (error) {
  lab.keep();
  say(`The harness failed; its directory is ${lab.directory}.`);
  throw error;
} finally {
  await lab.end();
}
say(describeTally(tally));
process.exit(failed ? 1 : 0);

async function runRound(seed: number): Promise<boolean> {
  say(`round of seed ${seed}`);
  const report = await playRound(lab, {
    seed,
    faults: chosen,
    alone: values.alone,
    recoveryMsMax: RECOVERY_MS_MAX,
    onFault: (name) => values.quiet || say(`  ${Math.round((performance.now() - begun) / 1000)} s: ${name}`),
  });
  tally.add(report);
  if (report.violations.length + report.complaints.length === 0) return false;
  lab.keep();
  say(describeFailure(report, { seed, directory: lab.directory }));
  return true;
}

function describeTally(all: Tally): string {
  const minutesTaken = Math.round((performance.now() - begun) / 6_000) / 10;
  return `${minutesTaken} minutes from seed ${firstSeed}\n${all.describe()}`;
}
