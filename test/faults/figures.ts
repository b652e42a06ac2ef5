// What was done in a run of rounds, in figures.

import type { RoundReport } from './round.ts';

export interface Tally {
  add(report: RoundReport): void;
  /** Several lines for a person. */
  describe(): string;
}

/** Of no round yet. */
export function createTally(): Tally {
  const counts = new Map<string, number>();
  const outcomes = new Map<string, number>();
  const recoveries = new Map<string, number[]>();
  const count = (what: string, by = 1, among = counts) => among.set(what, (among.get(what) ?? 0) + by);

  return {
    add: ({ history: { calls, rows }, violations, complaints, inflicted }) => {
      count('histories');
      count('calls', calls.length);
      count('calls without an answer', calls.filter((call) => call.answer === null).length);
      count('messages in the log', rows.messages.length);
      count('deliveries', rows.deliveries.length);
      count('attempts that failed', rows.failures.length);
      count('acknowledgments', rows.acknowledgments.length);
      count('dead letters', rows.deadLetters.length);
      count('faults', inflicted.length);
      count('violations', violations.length);
      count('answers that nothing explains', complaints.length);
      for (const call of calls) {
        if (call.verb === 'publish' || call.verb === 'receive') continue;
        for (const { outcome } of call.answer ?? []) count(outcome, 1, outcomes);
      }
      for (const { name, recoveredMs } of inflicted)
        recoveries.set(name, [...(recoveries.get(name) ?? []), recoveredMs]);
    },
    describe: () => {
      const faults = [...recoveries].toSorted(([a], [b]) => a.localeCompare(b));
      return [
        ...[...counts].map(([what, number]) => `  ${what}: ${number}`),
        `  outcomes: ${[...outcomes].map(([outcome, number]) => `${outcome} ${number}`).join(', ')}`,
        '  faults, how often, and the longest until the service worked again:',
        ...faults.map(([name, times]) => `    ${times.length} × ${name}: ${seconds(Math.max(...times))} s`),
      ].join('\n');
    },
  };
}

function seconds(ms: number): string {
  return (ms / 1000).toFixed(1);
}
