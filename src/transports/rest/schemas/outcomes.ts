// Outcomes of receipts in words: when each is the answer, and what a consumer does then.

import type { Outcome } from '../../../domain/settling.ts';

interface OutcomeRow {
  readonly outcomes: readonly Outcome[];
  readonly when: string;
  readonly action: string;
}

/** In the order in which a reader meets them; the order of checks is in docs/message-life.md. */
export const outcomeRows: readonly OutcomeRow[] = [
  { outcomes: ['acknowledged', 'released', 'extended', 'rejected'], when: 'done', action: 'Go on.' },
  {
    outcomes: ['acknowledged_late'],
    when: 'the visibility timeout was over, but the message had not been delivered again; done',
    action: 'Go on. Extend earlier next time.',
  },
  {
    outcomes: ['already_acknowledged', 'already_released', 'already_rejected'],
    when: 'this receipt was settled in this way before',
    action: 'Go on: it is the answer to a repeated call.',
  },
  {
    outcomes: ['superseded'],
    when: 'a newer delivery of the message exists',
    action: 'Do not repeat. Another consumer has the message or has acknowledged it.',
  },
  {
    outcomes: ['dead_lettered'],
    when: 'the message has become a dead letter',
    action: 'Do not repeat. Ask the operator.',
  },
  {
    outcomes: ['gone'],
    when: 'the visibility timeout is over, or the message no longer exists',
    action: 'After an extend or release: finish the work and acknowledge. After an acknowledge: ask the operator.',
  },
  {
    outcomes: ['invalid_receipt'],
    when: 'not a receipt of this subscription',
    action: 'Correct the program.',
  },
  {
    outcomes: ['not_done'],
    when: 'the receipt was valid, but the atomic call was refused because of another one',
    action: 'Repeat the call without the other receipt.',
  },
];

/** The list for the description of the schema. */
export function listOutcomes(): string {
  return outcomeRows.map(({ outcomes, when }) => `- ${formatCodes(outcomes)}: ${when}.`).join('\n');
}

export function formatCodes(codes: readonly string[]): string {
  return codes.map((code) => `\`${code}\``).join(', ');
}
