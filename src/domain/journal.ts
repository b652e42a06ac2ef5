// The journal: administrative acts, as administrators and auditors read them.

import type { Principal } from './access.ts';

export const journalSubjects = ['topic', 'subscription', 'key'] as const;
export type JournalSubject = (typeof journalSubjects)[number];

export const journalActions = ['create', 'update', 'delete', 'revoke', 'seek', 'purge', 'redrive'] as const;
export type JournalAction = (typeof journalActions)[number];

/** The client that acts, and the key with which it does; null for the admin key. */
export interface Actor {
  readonly principal: Principal;
  readonly keyId: string | null;
}

/** Values by their domain names, such as settings. */
export type JournalValues = Readonly<Record<string, unknown>>;

/** What an act did to one topic, subscription or key. */
export interface Act {
  readonly subject: JournalSubject;
  readonly action: JournalAction;
  /** The topic's or subscription's name; of a key, its client's. */
  readonly name: string;
  /** The public id, which distinguishes subjects of the same name; of a key, its id. */
  readonly subjectId: string | null;
  /** Of a subscription. */
  readonly topic: string | null;
  /** What was changed, as it was; null for what is created. */
  readonly before: JournalValues | null;
  /** The same as it is now; null for what is deleted. */
  readonly after: JournalValues | null;
}

/** One row of the journal. */
export interface JournalEntry extends Act {
  /** Dense, from 1, in the order of commits. */
  readonly entryNo: number;
  readonly actedAt: Date;
  readonly actedBy: Principal;
  /** Null for the admin key. */
  readonly keyId: string | null;
}

/** What differs, on both sides; null when nothing does. Dates are compared by their instant. */
export function describeChange(before: JournalValues, after: JournalValues): Pick<Act, 'before' | 'after'> | null {
  const names = Object.keys(after).filter((name) => JSON.stringify(before[name]) !== JSON.stringify(after[name]));
  return names.length === 0 ? null : { before: pick(before, names), after: pick(after, names) };
}

/** The values of these names. */
export function pick(values: object, names: readonly string[]): JournalValues {
  const known = values as JournalValues;
  return Object.fromEntries(names.map((name) => [name, known[name] ?? null]));
}
