// Waiting in a harness that lives among killed processes: everything has an end.

const LOOK_MS = 20;
/** Ends what would never end; far beyond what a busy machine needs. */
const PATIENCE_MS = 300_000;

export function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}

/**
 * The work's result, however long it takes, as long as `measure` changes; throws with `state` when
 * it has stood still for too long.
 */
export async function whileMoving<T>(
  work: Promise<T>,
  { measure, state, stillMsMax }: { measure: () => number; state: () => string; stillMsMax: number },
): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const standstill = new Promise<never>((_, reject) => {
    let last = measure();
    let changedAt = performance.now();
    timer = setInterval(() => {
      if (measure() !== last) changedAt = performance.now();
      last = measure();
      if (performance.now() - changedAt > stillMsMax) reject(new Error(`nothing moves any more: ${state()}`));
    }, LOOK_MS);
  });
  return Promise.race([work, standstill]).finally(() => clearInterval(timer));
}

/**
 * Resolves once the condition holds, with how long that took; one that throws does not hold yet.
 */
export async function until(
  condition: () => boolean | Promise<boolean>,
  what: string,
  patienceMs = PATIENCE_MS,
): Promise<number> {
  const begun = performance.now();
  let complaint = '';
  while (performance.now() - begun < patienceMs) {
    try {
      if (await condition()) return performance.now() - begun;
    } catch (error) {
      complaint = error instanceof Error ? ` (${error.message})` : '';
    }
    await pause(LOOK_MS);
  }
  throw new Error(`waited ${patienceMs / 1000} seconds in vain until ${what}${complaint}`);
}
