// The fast path of a hot verb: one statement for many topics does the plain cases.
// What it leaves out is done by a function call for each group, in a transaction of its own. The
// statement decides under its locks which case a group is: see docs/decisions/0013.

export interface PlainFirst<Group, Outcome> {
  readonly groups: readonly Group[];
  /** Whether to wait for a busy lock. */
  readonly wait: boolean;
  /** Whether the fast path may be tried for the group. */
  readonly isPlain: (group: Group) => boolean;
  /** By group; undefined: left out, nothing was done. */
  readonly fastPath: (groups: readonly Group[]) => Promise<readonly (Outcome | undefined)[]>;
  readonly perGroup: (groups: readonly Group[], wait: boolean) => Promise<readonly Outcome[]>;
}

/** The outcome of each group, in their order. */
export async function plainFirst<Group, Outcome>(paths: PlainFirst<Group, Outcome>): Promise<Outcome[]> {
  const { groups, wait, isPlain, fastPath, perGroup } = paths;
  // A call that waited for its lock must not queue for it a second time.
  const plain = wait ? [] : groups.filter(isPlain);
  const done = plain.length === 0 ? [] : await fastPath(plain);
  const outcomes = new Map<Group, Outcome>();
  for (const [i, outcome] of done.entries()) if (outcome !== undefined) outcomes.set(plain[i] as Group, outcome);
  const others = groups.filter((group) => !outcomes.has(group));
  const rest = others.length === 0 ? [] : await perGroup(others, wait);
  for (const [i, outcome] of rest.entries()) outcomes.set(others[i] as Group, outcome);
  return groups.map((group) => outcomes.get(group) as Outcome);
}
