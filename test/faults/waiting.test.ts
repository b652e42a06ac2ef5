// How the harness waits: for as long as something moves.

import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { pause, whileMoving } from './lab/waiting.ts';

const STILL_MS_MAX = 60_000;

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

describe('waiting while something moves', () => {
  it('ends with the work, however long it takes', async () => {
    let steps = 0;
    const work = (async () => {
      for (; steps < 10; steps += 1) await pause(STILL_MS_MAX / 2);
      return 'done';
    })();
    const waiting = whileMoving(work, { measure: () => steps, state: () => '', stillMsMax: STILL_MS_MAX });
    await vi.advanceTimersByTimeAsync(5 * STILL_MS_MAX);
    expect(await waiting).toBe('done');
  });

  it('fails when nothing moves any more, and says where it stands', async () => {
    const never = new Promise(() => {});
    const waiting = whileMoving(never, { measure: () => 7, state: () => 'after 7 calls', stillMsMax: STILL_MS_MAX });
    const failing = expect(waiting).rejects.toThrow('nothing moves any more: after 7 calls');
    await vi.advanceTimersByTimeAsync(2 * STILL_MS_MAX);
    await failing;
  });

  it('fails as the work does', async () => {
    const work = Promise.reject(new Error('broken'));
    const waiting = whileMoving(work, { measure: () => 0, state: () => '', stillMsMax: STILL_MS_MAX });
    await expect(waiting).rejects.toThrow('broken');
  });
});
