// What is said of a round that broke a promise: the seed that brings it back, where everything
// lies, and the shortest history of each rule that was broken.

import { describeExcerpt, excerptOf } from '../support/history-excerpt.ts';
import type { RoundReport } from './round.ts';

const SHOWN_MAX = 5;

/** Several lines for a person. */
export function describeFailure(
  { history, violations, complaints }: Pick<RoundReport, 'history' | 'violations' | 'complaints'>,
  { seed, directory }: { seed: number; directory: string },
): string {
  const firsts = [...Map.groupBy(violations, ({ rule }) => rule).values()].flatMap((ofRule) => ofRule.slice(0, 1));
  return [
    `${violations.length} violations and ${complaints.length} answers that nothing explains.`,
    `Again: npm run chaos -- --seed ${seed} --rounds 1`,
    `Database, data directory and logs are kept in ${directory}`,
    ...complaints.slice(0, SHOWN_MAX),
    ...firsts.slice(0, SHOWN_MAX).map((violation) => describeExcerpt(excerptOf(history, violation))),
  ].join('\n');
}
