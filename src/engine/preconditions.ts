// Preconditions: what a caller expects of a noun that it creates, changes or deletes, judged where
// nobody else can change the noun meanwhile.

import { WillcallError } from '../domain/errors.ts';

/** Says of the noun as it is, null where there is none, whether the act may be done. */
export type Expectation<Noun> = (current: Noun | null) => boolean;

/** How a noun is deleted. */
export interface DeleteOptions<Noun> {
  /** Null for the admin key. */
  readonly keyId?: string | null;
  /** Absent: in any state. */
  readonly expected?: Expectation<Noun> | undefined;
}

/** Throws `precondition_failed`. */
export function requireExpected<Noun>(expected: Expectation<Noun> | undefined, current: Noun | null): void {
  if (expected === undefined || expected(current)) return;
  throw new WillcallError('precondition_failed', 'It is not in the expected state: get it again, and decide again.');
}
