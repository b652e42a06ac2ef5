// Micro-batching, with flushes that the test finishes by hand.

import { beforeEach, describe, expect, it } from 'vitest';
import { WillcallError } from '../../../src/domain/errors.ts';
import { Batcher, type BatcherOptions, type Group } from '../../../src/engine/batching/batcher.ts';
import { Slots } from '../../../src/engine/batching/slots.ts';
import { codeOf } from '../../support/calls.ts';

interface Entry {
  name: string;
  items?: number;
  bytes?: number;
}

type Reply = readonly string[] | 'busy';

interface PendingFlush {
  groups: readonly Group<Entry>[];
  wait: boolean;
  finish: (replies: readonly Reply[]) => void;
  fail: (error: Error) => void;
}

let flushes: PendingFlush[];

beforeEach(() => {
  flushes = [];
});

function createBatcher(options: Partial<BatcherOptions<Entry, string>> = {}) {
  const batcher = new Batcher<Entry, string>({
    flush: (groups, wait) => {
      const { promise, resolve, reject } = Promise.withResolvers<readonly Reply[]>();
      flushes.push({ groups, wait, finish: resolve, fail: reject });
      return promise;
    },
    weigh: ({ items = 1, bytes = 0 }) => ({ items, bytes }),
    ...{ groupsMax: 10, itemsMax: 100, bytesMax: 1000, pendingBytesMax: 5000, pendingEntriesMax: 50 },
    turns: new Slots(1),
    lockWaits: new Slots(5),
    ...options,
  });
  return batcher;
}

/** `k1:a b` for a group of key 1 with the entries a and b. */
function describeFlush(flush: PendingFlush | undefined): string {
  const groups = flush?.groups.map(({ key, entries }) => `k${key}:${entries.map(({ name }) => name).join(' ')}`);
  return groups?.join(' | ') ?? 'none';
}

/** Each entry's reply is its own name in capitals. */
function finish(flush: PendingFlush | undefined, except: Record<number, Reply> = {}): Promise<void> {
  const replyTo = ({ key, entries }: Group<Entry>) => except[key] ?? entries.map(({ name }) => name.toUpperCase());
  flush?.finish(flush.groups.map(replyTo));
  return settle();
}

/** Lets everything happen that waits for nothing but its turn. */
async function settle(): Promise<void> {
  for (let turn = 0; turn < 3; turn += 1) await new Promise((resolve) => setImmediate(resolve));
}

describe('joining', () => {
  it('flushes a lone caller at once', async () => {
    const batcher = createBatcher();
    const reply = batcher.submit(1, { name: 'a' });
    await settle();
    expect(flushes.map(describeFlush)).toEqual(['k1:a']);
    await finish(flushes[0]);
    expect(await reply).toBe('A');
  });

  it('lets callers that come during a flush join the next one, each key in the order of arrival', async () => {
    const batcher = createBatcher();
    const replies = [batcher.submit(9, { name: 'first' })];
    await settle();
    for (const [key, name] of [
      [2, 'b1'],
      [1, 'a1'],
      [2, 'b2'],
      [1, 'a2'],
    ] as const) {
      replies.push(batcher.submit(key, { name }));
    }
    expect(flushes).toHaveLength(1);
    await finish(flushes[0]);
    expect(describeFlush(flushes[1])).toBe('k1:a1 a2 | k2:b1 b2');
    await finish(flushes[1]);
    expect(await Promise.all(replies)).toEqual(['FIRST', 'B1', 'A1', 'B2', 'A2']);
  });

  it('answers nobody before the flush has ended', async () => {
    const batcher = createBatcher();
    let answered = false;
    void batcher.submit(1, { name: 'a' }).then(() => {
      answered = true;
    });
    await settle();
    expect(answered).toBe(false);
    await finish(flushes[0]);
    expect(answered).toBe(true);
  });

  it('waits for no lock, be it for one key or for several', async () => {
    const batcher = createBatcher();
    void batcher.submit(1, { name: 'a' });
    await settle();
    void batcher.submit(1, { name: 'b' });
    void batcher.submit(2, { name: 'c' });
    await finish(flushes[0]);
    expect(flushes.map(({ wait }) => wait)).toEqual([false, false]);
  });
});

describe('a busy key', () => {
  it('goes alone and waits, while the others are answered and the next flush leaves', async () => {
    const batcher = createBatcher();
    void batcher.submit(9, { name: 'first' });
    await settle();
    const busy = batcher.submit(1, { name: 'a' });
    const other = batcher.submit(2, { name: 'b' });
    await finish(flushes[0]);
    void batcher.submit(2, { name: 'c' });
    void batcher.submit(1, { name: 'd' });
    await finish(flushes[1], { 1: 'busy' });
    expect(await other).toBe('B');
    // What came for the busy key meanwhile does not overtake it.
    expect(flushes.slice(2).map((flush) => [describeFlush(flush), flush.wait])).toEqual([
      ['k1:a', true],
      ['k2:c', false],
    ]);
    await finish(flushes[3]);
    expect(flushes).toHaveLength(4);
    await finish(flushes[2]);
    expect(await busy).toBe('A');
    expect(describeFlush(flushes[4])).toBe('k1:d');
  });
});

describe('a key with very many items', () => {
  const large = (slots = 1) => ({ large: { sharedItemsMax: 10, itemsMax: 20, slots: new Slots(slots) } });

  it('goes alone, and keeps no turn from the others', async () => {
    const batcher = createBatcher(large());
    for (const name of ['a', 'b']) void batcher.submit(1, { name, items: 6 });
    void batcher.submit(2, { name: 'c' });
    await settle();
    expect(flushes.map(describeFlush)).toEqual(['k2:c', 'k1:a b']);
    await finish(flushes[0]);
    const next = batcher.submit(3, { name: 'd' });
    await settle();
    await finish(flushes[2]);
    expect(await next).toBe('D');
  });

  it('fails alone', async () => {
    const batcher = createBatcher(large());
    const heavy = codeOf(batcher.submit(1, { name: 'a', items: 11 }));
    const light = batcher.submit(2, { name: 'b' });
    await settle();
    expect(flushes.map(describeFlush)).toEqual(['k2:b', 'k1:a']);
    flushes[1]?.fail(new WillcallError('database_timeout', 'too slow'));
    await finish(flushes[0]);
    expect([await heavy, await light]).toEqual(['database_timeout', 'B']);
  });

  it('has so many of them in a flush, each key in the order of arrival', async () => {
    const batcher = createBatcher(large());
    for (const name of ['a', 'b', 'c', 'd']) void batcher.submit(1, { name, items: 8 });
    await settle();
    await finish(flushes[0]);
    expect(flushes.map(describeFlush)).toEqual(['k1:a b', 'k1:c d']);
  });

  it('travels with the others again when it has few', async () => {
    const batcher = createBatcher(large());
    void batcher.submit(1, { name: 'a', items: 11 });
    await settle();
    await finish(flushes[0]);
    void batcher.submit(1, { name: 'b' });
    void batcher.submit(2, { name: 'c' });
    await settle();
    expect(describeFlush(flushes[1])).toBe('k1:b | k2:c');
  });

  it('waits for a slot of its kind, and takes along what arrives meanwhile', async () => {
    const batcher = createBatcher(large());
    for (const key of [1, 2]) void batcher.submit(key, { name: `x${key}`, items: 11 });
    await settle();
    expect(flushes.map(describeFlush)).toEqual(['k1:x1']);
    void batcher.submit(2, { name: 'later' });
    await finish(flushes[0]);
    expect(describeFlush(flushes[1])).toBe('k2:x2 later');
  });

  it('waits for its lock when that is busy', async () => {
    const batcher = createBatcher(large());
    const reply = batcher.submit(1, { name: 'a', items: 11 });
    await settle();
    await finish(flushes[0], { 1: 'busy' });
    expect(flushes.map(({ wait }) => wait)).toEqual([false, true]);
    await finish(flushes[1]);
    expect(await reply).toBe('A');
    await batcher.drained();
  });
});

describe('an error', () => {
  const internal = () => new WillcallError('internal', 'a bug');

  it('is isolated to the entry at fault by halving', async () => {
    const names = ['a', 'b', 'c', 'bad', 'e', 'f', 'g'];
    const flushed: string[] = [];
    const batcher = createBatcher({
      flush: async (groups) => {
        const entries = groups.flatMap((group) => group.entries);
        flushed.push(entries.map(({ name }) => name).join(' '));
        if (entries.some(({ name }) => name === 'bad')) throw internal();
        return groups.map((group) => group.entries.map(({ name }) => name.toUpperCase()));
      },
    });
    const replies = await Promise.allSettled(names.map((name, i) => batcher.submit(i < 4 ? 1 : 2, { name })));
    const answered = replies.map((reply) => (reply.status === 'fulfilled' ? reply.value : 'failed'));
    expect(answered).toEqual(['A', 'B', 'C', 'failed', 'E', 'F', 'G']);
    expect(flushed.length).toBeLessThanOrEqual(2 * names.length);
  });

  it('lets no more halves wait for locks than may, and needs no second slot where it has one', async () => {
    const lockWaits = new Slots(1);
    const waiting: string[] = [];
    const held = Promise.withResolvers<void>();
    const batcher = createBatcher({
      ...{ lockWaits, turns: new Slots(1) },
      flush: async (groups, wait) => {
        const entries = groups.flatMap((group) => group.entries);
        const name = entries.map((entry) => entry.name).join(' ');
        if (wait) waiting.push(name);
        if (name.startsWith('busy') && !wait) return ['busy'];
        if (entries.length > 1 || (wait && entries[0]?.name === 'bad')) throw internal();
        if (wait) await held.promise;
        return groups.map((group) => group.entries.map((entry) => entry.name.toUpperCase()));
      },
    });
    const other = lockWaits.run(() => held.promise);
    const halves = [batcher.submit(1, { name: 'a' }), batcher.submit(1, { name: 'b' })];
    await settle();
    await settle();
    // The one slot is taken.
    expect(waiting).toEqual([]);
    held.resolve();
    await other;
    expect(await Promise.all(halves)).toEqual(['A', 'B']);
    const alone = [batcher.submit(1, { name: 'busy' }), codeOf(batcher.submit(1, { name: 'bad' }))];
    expect(await Promise.all(alone)).toEqual(['BUSY', 'internal']);
  });

  it("that is nobody in particular is everybody's, without more tries", async () => {
    const batcher = createBatcher();
    void batcher.submit(9, { name: 'first' });
    await settle();
    const codes = [1, 1, 2].map((key, i) => codeOf(batcher.submit(key, { name: `x${i}` })));
    await finish(flushes[0]);
    flushes[1]?.fail(new WillcallError('database_unavailable', 'away'));
    expect(await Promise.all(codes)).toEqual(Array(3).fill('database_unavailable'));
    await settle();
    expect(flushes).toHaveLength(2);
  });

  it('does not keep later callers from being served', async () => {
    const batcher = createBatcher();
    const failed = codeOf(batcher.submit(1, { name: 'a' }));
    await settle();
    flushes[0]?.fail(internal());
    expect(await failed).toBe('internal');
    await settle();
    const next = batcher.submit(1, { name: 'b' });
    await settle();
    await finish(flushes[1]);
    expect(await next).toBe('B');
  });

  it('is what a caller gets whom a flush forgot', async () => {
    const batcher = createBatcher();
    const forgotten = codeOf(batcher.submit(1, { name: 'a' }));
    await settle();
    await finish(flushes[0], { 1: [] });
    expect(await forgotten).toBe('internal');
  });
});

describe('bounds', () => {
  async function flushesOf(options: Partial<BatcherOptions<Entry, string>>, entries: [number, Entry][]) {
    const batcher = createBatcher(options);
    void batcher.submit(99, { name: 'first' });
    await settle();
    for (const [key, entry] of entries) void batcher.submit(key, entry);
    for (let i = 0; i < flushes.length; i += 1) await finish(flushes[i]);
    return flushes.slice(1).map(describeFlush);
  }

  it('holds a flush to so many keys', async () => {
    const entries = [1, 2, 3].map((key): [number, Entry] => [key, { name: 'x' }]);
    expect(await flushesOf({ groupsMax: 2 }, entries)).toEqual(['k1:x | k2:x', 'k3:x']);
  });

  it('holds a flush to so many items, and splits a key where they end', async () => {
    const entries = ['a', 'b', 'c'].map((name): [number, Entry] => [1, { name, items: 4 }]);
    expect(await flushesOf({ itemsMax: 10 }, [...entries, [2, { name: 'd' }]])).toEqual(['k1:a b | k2:d', 'k1:c']);
  });

  it('holds a flush to so many bytes', async () => {
    const entries = ['a', 'b', 'c'].map((name): [number, Entry] => [1, { name, bytes: 400 }]);
    expect(await flushesOf({ bytesMax: 1000 }, entries)).toEqual(['k1:a b', 'k1:c']);
  });

  it('lets an entry that exceeds the bounds by itself go alone', async () => {
    const entries: [number, Entry][] = [
      [1, { name: 'big', bytes: 3000 }],
      [1, { name: 'small' }],
      [2, { name: 'other' }],
    ];
    expect(await flushesOf({ bytesMax: 1000 }, entries)).toEqual(['k1:big', 'k1:small | k2:other']);
  });

  it('tells callers to come back when too many wait, and takes them again later', async () => {
    const batcher = createBatcher({ pendingEntriesMax: 2 });
    void batcher.submit(1, { name: 'a' });
    await settle();
    void batcher.submit(1, { name: 'b' });
    expect(await codeOf(batcher.submit(2, { name: 'c' }))).toBe('overloaded');
    await finish(flushes[0]);
    void batcher.submit(2, { name: 'd' });
    await settle();
    await finish(flushes[1]);
    expect(flushes.map(describeFlush)).toEqual(['k1:a', 'k1:b', 'k2:d']);
  });

  it('tells callers to come back when too many bytes wait, but takes any size when nothing does', async () => {
    const batcher = createBatcher({ pendingBytesMax: 100 });
    void batcher.submit(1, { name: 'a', bytes: 500 });
    await settle();
    expect(await codeOf(batcher.submit(2, { name: 'b', bytes: 1 }))).toBe('overloaded');
    await finish(flushes[0]);
    void batcher.submit(2, { name: 'c', bytes: 500 });
    await settle();
    expect(describeFlush(flushes[1])).toBe('k2:c');
  });
});

describe('drained', () => {
  it('resolves at once when nothing waits', async () => {
    await createBatcher().drained();
  });

  it('waits for what is on its way, for what waits behind it, and for busy keys', async () => {
    const batcher = createBatcher();
    let drained = false;
    void batcher.submit(9, { name: 'first' });
    await settle();
    void batcher.submit(1, { name: 'a' });
    void batcher.submit(2, { name: 'b' });
    void batcher.drained().then(() => {
      drained = true;
    });
    await finish(flushes[0]);
    await finish(flushes[1], { 1: 'busy' });
    expect(drained).toBe(false);
    await finish(flushes[2]);
    expect(drained).toBe(true);
  });
});
