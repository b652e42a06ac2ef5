import { expect, it } from 'vitest';
import { isOk, outcomes, settleVerbs } from '../../src/domain/settling.ts';

it('counts as ok for a verb what did, or had done, just that', () => {
  const ok = Object.fromEntries(settleVerbs.map((verb) => [verb, outcomes.filter((outcome) => isOk(verb, outcome))]));
  expect(ok).toEqual({
    acknowledge: ['acknowledged', 'acknowledged_late', 'already_acknowledged'],
    release: ['released', 'already_released'],
    extend: ['extended'],
    reject: ['rejected', 'already_rejected'],
  });
});
