// Chance that can be had again: everything that a run of faults decides comes from a seed. What the
// machine does with it, which of two packets is first, say, does not.

export interface Random {
  /** At least 0, less than 1. */
  next(): number;
  /** A whole number, both ends included. */
  whole(min: number, max: number): number;
  pick<T>(list: readonly T[]): T;
  /** All of them, in another order. */
  shuffle<T>(list: readonly T[]): T[];
  chance(probability: number): boolean;
  /** One of its own for a part of the run, so that parts do not depend on each other's course. */
  fork(name: string): Random;
}

export function createRandom(seed: number, name = ''): Random {
  let state = hash(`${seed} ${name}`);
  // mulberry32, by Tommy Ettinger, in the public domain: small, and good enough to deal cards.
  const next = (): number => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
  const whole = (min: number, max: number): number => min + Math.floor(next() * (max - min + 1));
  const pick = <T>(list: readonly T[]): T => {
    const [first, ...others] = list;
    if (first === undefined) throw new Error('there is nothing to pick from');
    return [first, ...others][whole(0, others.length)] ?? first;
  };
  const shuffle = <T>(list: readonly T[]): T[] => {
    const left = [...list];
    return list.flatMap(() => left.splice(whole(0, left.length - 1), 1));
  };
  return {
    ...{ next, whole, pick, shuffle },
    chance: (probability) => next() < probability,
    fork: (part) => createRandom(seed, `${name}/${part}`),
  };
}

/** FNV-1a. */
function hash(text: string): number {
  let value = 0x811c9dc5;
  for (const character of text) value = Math.imul(value ^ (character.codePointAt(0) ?? 0), 0x01000193);
  return value | 0;
}
