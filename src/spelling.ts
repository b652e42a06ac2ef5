// Spelling: which known name was probably meant.

/** The known name that is nearest to the given one; null where none is near. */
export function findNearest(given: string, known: readonly string[]): string | null {
  let nearest: string | null = null;
  let least = given.length / 3;
  for (const name of known) {
    const distance = editDistance(given, name);
    if (distance > least) continue;
    least = distance;
    nearest = name;
  }
  return nearest;
}

/** Levenshtein's distance: how many letters to insert, delete or replace. */
function editDistance(from: string, to: string): number {
  let previous = Array.from({ length: to.length + 1 }, (_, index) => index);
  for (let row = 1; row <= from.length; row += 1) {
    const current = [row];
    for (let column = 1; column <= to.length; column += 1) {
      const replaced = (previous[column - 1] ?? 0) + (from[row - 1] === to[column - 1] ? 0 : 1);
      current.push(Math.min(replaced, (previous[column] ?? 0) + 1, (current[column - 1] ?? 0) + 1));
    }
    previous = current;
  }
  return previous[to.length] ?? 0;
}
