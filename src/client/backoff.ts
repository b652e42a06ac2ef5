// Back-off between attempts of a call: exponential with jitter, never shorter than Retry-After.
// Half of the delay is random, so that clients which failed together do not retry together.

export interface RetrySettings {
  /** The most attempts of one call, the first one included; 1 means no repetition. */
  readonly attemptsMax: number;
  readonly minDelayMs: number;
  readonly maxDelayMs: number;
}

export const retryDefaults: RetrySettings = { attemptsMax: 5, minDelayMs: 250, maxDelayMs: 20_000 };

/** Milliseconds to wait after the n-th failure in a row, n from 1. */
export function chooseDelayMs(failures: number, retryAfterSeconds: number | null, settings: RetrySettings): number {
  const { minDelayMs, maxDelayMs } = settings;
  const longest = Math.min(maxDelayMs, minDelayMs * 2 ** Math.min(failures - 1, 30));
  const chosen = longest * (0.5 + Math.random() / 2);
  // Retry-After is a minimum. Every client got the same value, so a random part is added.
  return retryAfterSeconds === null ? chosen : Math.max(chosen, retryAfterSeconds * 1000 + minDelayMs * Math.random());
}

/** Resolves after the time, or as soon as the signal is aborted; never rejects. */
export function pause(ms: number, signal?: AbortSignal): Promise<void> {
  if (signal?.aborted === true) return Promise.resolve();
  return new Promise((resolve) => {
    const end = () => {
      clearTimeout(timer);
      signal?.removeEventListener('abort', end);
      resolve();
    };
    const timer = setTimeout(end, ms);
    signal?.addEventListener('abort', end);
  });
}
