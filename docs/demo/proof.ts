// The demo claims nothing that it has not looked at.

import type { Screen } from './screen.ts';

/**
 * The service did something else than the story says; the message is the sentence that was not
 * true.
 */
export class Disproved extends Error {}

export type Prove = (holds: boolean, claim: string, instead?: unknown) => void;

/**
 * Prints the claim where it holds; throws Disproved, with what was seen instead, where it does not.
 */
export function createProve(screen: Screen): Prove {
  return (holds, claim, instead) => {
    if (holds) return screen.proven(claim);
    const seen = instead === undefined ? '' : ` Seen instead: ${JSON.stringify(instead)}`;
    throw new Disproved(`Not so: ${claim}${seen}`);
  };
}
