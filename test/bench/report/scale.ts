// From values to places on an axis, and where its ticks are.

export interface Scale {
  /** 0 at the beginning of the axis, 1 at its end. */
  place(value: number): number;
  readonly ticks: readonly number[];
}

const TICKS = 5;

/** From 0 to a round number above the largest value. */
export function linearScale(max: number): Scale {
  const step = roundUp((max > 0 ? max : 1) / TICKS);
  const end = Math.ceil((max > 0 ? max : 1) / step) * step;
  const ticks = Array.from({ length: Math.round(end / step) + 1 }, (_, index) => index * step);
  return { place: (value) => value / end, ticks };
}

/** Between two powers of ten; nought has a tick of its own, a step before the first power. */
export function logScale(values: readonly number[]): Scale {
  const powers = values.filter((value) => value > 0).map(Math.log10);
  const hasNought = powers.length < values.length;
  const first = powers.length > 0 ? Math.floor(Math.min(...powers)) : 0;
  const last = powers.length > 0 ? Math.max(first + 1, Math.ceil(Math.max(...powers))) : 1;
  const begin = hasNought ? first - 1 : first;
  const ticks = Array.from({ length: last - first + 1 }, (_, index) => 10 ** (first + index));
  return {
    place: (value) => (value <= 0 ? 0 : (Math.log10(value) - begin) / (last - begin)),
    ticks: hasNought ? [0, ...ticks] : ticks,
  };
}

/** 1, 2 or 5 times a power of ten. */
function roundUp(value: number): number {
  const power = 10 ** Math.floor(Math.log10(value));
  const factor = [1, 2, 5, 10].find((candidate) => candidate * power >= value) ?? 10;
  return factor * power;
}

/** Short enough for a tick: 1,500 as 1.5k, 2,000,000 as 2M. */
export function formatTick(value: number): string {
  for (const [limit, suffix] of [
    [1e9, 'G'],
    [1e6, 'M'],
    [1e3, 'k'],
  ] as const) {
    if (Math.abs(value) >= limit) {
      return `${trim(value / limit)}${suffix}`;
    }
  }
  return trim(value);
}

function trim(value: number): string {
  return String(Number(value.toPrecision(3)));
}
