// Slots: work that asks while all are taken waits, in the order of asking.

import { describe, expect, it } from 'vitest';
import { Batcher } from '../../../src/engine/batching/batcher.ts';
import { Slots } from '../../../src/engine/batching/slots.ts';

const nextTurnOfTheLoop = () => new Promise((resolve) => setImmediate(resolve));

describe('slots', () => {
  it('are given in the order of asking, as many as there are', () => {
    const slots = new Slots(2);
    const begun: string[] = [];
    for (const name of ['a', 'b', 'c', 'd']) slots.take(() => begun.push(name) > 0);
    expect(begun).toEqual(['a', 'b']);
    slots.release();
    expect(begun).toEqual(['a', 'b', 'c']);
    slots.release();
    expect(begun).toEqual(['a', 'b', 'c', 'd']);
  });

  it('go to the next where one is not kept', () => {
    const slots = new Slots(1);
    const begun: string[] = [];
    slots.take(() => begun.push('empty') === 0);
    slots.take(() => begun.push('full') > 0);
    slots.take(() => begun.push('late') > 0);
    expect(begun).toEqual(['empty', 'full']);
  });

  it.each([1, 3, 5])('are kept by %i works at a time, whether those succeed or fail', async (count) => {
    const slots = new Slots(count);
    const works = Array.from({ length: 7 }, () => Promise.withResolvers<void>());
    const begun: number[] = [];
    const done = works.map(({ promise }, i) =>
      slots.run(() => {
        begun.push(i);
        return promise;
      }),
    );
    await nextTurnOfTheLoop();
    expect(begun).toHaveLength(count);
    for (const [i, work] of works.entries()) {
      if (i % 2 === 0) work.resolve();
      else work.reject(new Error('busy'));
    }
    const ends = await Promise.allSettled(done);
    expect(ends.map(({ status }) => status === 'fulfilled')).toEqual([true, false, true, false, true, false, true]);
    expect(begun).toEqual([0, 1, 2, 3, 4, 5, 6]);
    expect(await slots.run(async () => 'free')).toBe('free');
  });
});

describe('batchers that share slots', () => {
  function open(turns: Slots, name: string, flushed: string[]) {
    const release: (() => void)[] = [];
    const batcher = new Batcher<string, string>({
      flush: async (groups) => {
        flushed.push(`${name}: ${groups.flatMap(({ entries }) => entries).join(' ')}`);
        await new Promise<void>((resolve) => release.push(resolve));
        return groups.map(({ entries }) => [...entries]);
      },
      weigh: () => ({ items: 1, bytes: 0 }),
      ...{ groupsMax: 10, itemsMax: 10, turns, lockWaits: new Slots(1) },
      pendingEntriesMax: 1_000,
    });
    return { batcher, release: () => release.shift()?.() };
  }

  it('flush one after the other, each with all who came meanwhile', async () => {
    const turns = new Slots(1);
    const flushed: string[] = [];
    const publish = open(turns, 'publish', flushed);
    const receive = open(turns, 'receive', flushed);
    const first = [publish.batcher.submit(1, 'a'), publish.batcher.submit(2, 'b'), receive.batcher.submit(1, 'c')];
    await nextTurnOfTheLoop();
    const second = [receive.batcher.submit(1, 'd'), publish.batcher.submit(1, 'e')];
    expect(flushed).toEqual(['publish: a b']);
    publish.release();
    await expect.poll(() => flushed).toEqual(['publish: a b', 'receive: c d']);
    receive.release();
    await expect.poll(() => flushed).toEqual(['publish: a b', 'receive: c d', 'publish: e']);
    publish.release();
    expect(await Promise.all([...first, ...second])).toEqual(['a', 'b', 'c', 'd', 'e']);
  });

  it('wait for one flush of each other at most, however much those have to do', async () => {
    const turns = new Slots(1);
    const flushed: string[] = [];
    const others = ['publish', 'receive'].map((name) => open(turns, name, flushed));
    const acknowledge = open(turns, 'acknowledge', flushed);
    // Many flushes of ten each.
    const answers = others.flatMap(({ batcher }) => Array.from({ length: 100 }, (_, i) => batcher.submit(i, `${i}`)));
    const mine = acknowledge.batcher.submit(1, 'mine');
    for (let done = 0; done < 2; done += 1) {
      await expect.poll(() => flushed.length).toBe(done + 1);
      others[done]?.release();
    }
    await expect.poll(() => flushed.length).toBe(3);
    expect(flushed[2]).toBe('acknowledge: mine');
    acknowledge.release();
    expect(await mine).toBe('mine');
    for (let done = 3; done < 21; done += 1) {
      await expect.poll(() => flushed.length).toBe(done + 1);
      for (const other of others) other.release();
    }
    expect(await Promise.all(answers)).toHaveLength(200);
  });

  it('give the slot back when a flush fails', async () => {
    const turns = new Slots(1);
    const failing = new Batcher<string, string>({
      flush: () => Promise.reject(new Error('no')),
      weigh: () => ({ items: 1, bytes: 0 }),
      ...{ groupsMax: 10, itemsMax: 10, turns, lockWaits: new Slots(1) },
      pendingEntriesMax: 10,
    });
    await expect(failing.submit(1, 'a')).rejects.toThrow('no');
    const flushed: string[] = [];
    const other = open(turns, 'other', flushed);
    const answer = other.batcher.submit(1, 'b');
    await expect.poll(() => flushed).toEqual(['other: b']);
    other.release();
    expect(await answer).toBe('b');
  });
});
