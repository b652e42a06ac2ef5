// Whose turn it is to wait for a lock.

import { expect, it } from 'vitest';
import { LockWaits } from '../../../src/engine/batching/lock-waits.ts';

it('lets half of the connections wait at once, at least one, and the others in the order of their coming', async () => {
  for (const [connections, places] of [
    [10, 5],
    [3, 1],
    [1, 1],
  ] as const) {
    const waits = new LockWaits(connections);
    const works = Array.from({ length: 7 }, () => Promise.withResolvers<void>());
    const begun: number[] = [];
    const done = works.map(({ promise }, i) =>
      waits.run(() => {
        begun.push(i);
        return promise;
      }),
    );
    expect(begun).toHaveLength(places);
    for (const [i, work] of works.entries()) {
      if (i % 2 === 0) work.resolve();
      else work.reject(new Error('busy'));
    }
    const ends = await Promise.allSettled(done);
    expect(ends.map(({ status }) => status === 'fulfilled')).toEqual([true, false, true, false, true, false, true]);
    expect(begun).toEqual([0, 1, 2, 3, 4, 5, 6]);
    expect(await waits.run(async () => 'free')).toBe('free');
  }
});
