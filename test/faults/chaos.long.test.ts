// A round of every fault against two instances of the service on a PostgreSQL of its own, as `npm
// run chaos` plays for as long as one likes. The order of the faults and what the clients do comes
// from a seed: one that is always played, and one that nobody has seen. docs/reliability.md says
// what a seed brings back and what it does not.

import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { describeFailure } from './failure.ts';
import { faults } from './faults/index.ts';
import { type Lab, openLab } from './lab/lab.ts';
import { playRound } from './round.ts';

const HOUR_MS = 3_600_000;

let lab: Lab;

beforeAll(async () => {
  // One instance lives an hour ahead.
  lab = await openLab({ clockShiftsMs: [0, HOUR_MS] });
});
afterAll(() => lab.end());

describe('clients of two instances, whatever befalls servers and connections', () => {
  it.each([20260101, Date.now() % 2 ** 31])('lose nothing and are told nothing false (seed %i)', async (seed) => {
    const report = await playRound(lab, { seed, faults });
    const isGood = report.violations.length + report.complaints.length === 0;
    if (!isGood) lab.keep();
    expect(isGood ? '' : describeFailure(report, { seed, directory: lab.directory })).toBe('');
    expect(report.inflicted.map(({ name }) => name).toSorted()).toEqual(faults.map(({ name }) => name).toSorted());
    // Else nothing was tried.
    expect(report.history.calls.filter((call) => call.answer === null).length).toBeGreaterThan(0);
    expect(report.history.rows.acknowledgments.length).toBeGreaterThan(0);
  });
});
