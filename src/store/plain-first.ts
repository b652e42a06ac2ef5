// The fast path of a hot verb: one statement for many topics does the plain cases.
// What it leaves out is done by a function call for each group, in a transaction of its own. The
// statement decides under its locks which case a group is: see docs/decisions/0013.

export interface PlainFirst<Group, Outcome> {
  readonly groups: readonly Group[];
  /** For a lock that is busy. */
  readonly wait: boolean;
  /** Whether the group can be plain at all. */
  readonly isPlain: (group: Group) => boolean;
  /** By group; undefined: left out, nothing was done. */
  readonly plainly: (groups: readonly Group[]) => Promise<readonly (Outcome | undefined)[]>;
  readonly each: (groups: readonly Group[], wait: boolean) => Promise<readonly Outcome[]>;
}

/** What became of each group, in their order. The two statements are transactions of their own. */
export async function plainFirst<Group, Outcome>(how: PlainFirst<Group, Outcome>): Promise<Outcome[]> {
  const { groups, wait, isPlain, plainly, each } = how;
  // Who waits for a lock waits once: to stand in line for it again would be unfair.
  const plain = wait ? [] : groups.filter(isPlain);
  const done = plain.length === 0 ? [] : await plainly(plain);
  const outcomes = new Map<Group, Outcome>();
  for (const [i, outcome] of done.entries()) if (outcome !== undefined) outcomes.set(plain[i] as Group, outcome);
  const others = groups.filter((group) => !outcomes.has(group));
  const rest = others.length === 0 ? [] : await each(others, wait);
  for (const [i, outcome] of rest.entries()) outcomes.set(others[i] as Group, outcome);
  return groups.map((group) => outcomes.get(group) as Outcome);
}
