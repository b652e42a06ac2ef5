// What a failed round says: where to find everything, how to have it again, and no more of the
// history than shows the violation.

import { describe, expect, it } from 'vitest';
import { checkHistory } from '../support/history-check.ts';
import { Story } from '../support/history-story.ts';
import { describeFailure } from './failure.ts';

const where = { seed: 4711, directory: '/somewhere/willcall-chaos' };

/** Ten messages come and are signed for; of the fifth, the row is gone from the ledger. */
function tellOneLost(): Story {
  const story = new Story();
  story.publish(1, 'publisher', ...Array.from({ length: 10 }, (_, i) => `body ${i}`));
  const receipts = story.receive(10, 'consumer', [1, 2, 3, 4, 5, 6, 7, 8, 9, 10]);
  for (const receipt of receipts) story.acknowledge(11, 'consumer', receipt);
  story.rows.acknowledgments = story.rows.acknowledgments.filter(({ seq }) => seq !== 5);
  return story;
}

describe('a failure', () => {
  it('names the seed, the command that plays it again, and where everything is kept', () => {
    const story = tellOneLost();
    const said = describeFailure({ history: story, violations: checkHistory(story), complaints: ['a 500'] }, where);
    expect(said).toContain('npm run chaos -- --seed 4711 --rounds 1');
    expect(said).toContain('/somewhere/willcall-chaos');
    expect(said).toContain('a 500');
  });

  it('shows the calls and rows of the message at fault, and of no other', () => {
    const story = tellOneLost();
    const violations = checkHistory(story).filter(({ rule }) => rule === 'answersHaveRecords');
    const said = describeFailure({ history: story, violations, complaints: [] }, where);
    expect(said).toContain('answersHaveRecords: sub: acknowledge by consumer of message 5');
    expect(said).toMatch(/consumer on a: acknowledge message 5 of delivery 2 -> .*"outcome":"acknowledged"/);
    expect(said).toMatch(/publisher on a: publish 10 messages/);
    expect(said).not.toContain('acknowledge message 4 of');
    expect(said).not.toContain('the violation shows in the whole history only');
  });

  it('shows one history of each rule that was broken', () => {
    const story = tellOneLost();
    const violations = checkHistory(story);
    const rules = new Set(violations.map(({ rule }) => rule));
    const said = describeFailure({ history: story, violations, complaints: [] }, where);
    expect(rules.size).toBeGreaterThan(1);
    for (const rule of rules) expect(said.split(`\n${rule}: `)).toHaveLength(2);
  });
});
