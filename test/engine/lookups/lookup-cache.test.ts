// The lookup cache, with lookups that the test answers by hand and a clock that it sets.

import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { LookupCache, type LookupCacheOptions } from '../../../src/engine/lookups/lookup-cache.ts';
import { codeOf } from '../../support/calls.ts';

interface PendingLookup {
  keys: readonly string[];
  answer: (values?: Record<string, number>) => Promise<void>;
  fail: () => void;
}

let lookups: PendingLookup[];
let ageing: string[];

beforeEach(() => {
  vi.useFakeTimers({ toFake: ['performance'] });
  lookups = [];
  ageing = [];
});
afterEach(() => vi.useRealTimers());

function createCache(options: Partial<LookupCacheOptions<string, number>> = {}): LookupCache<string, number> {
  return new LookupCache<string, number>({
    find: (keys) => {
      const { promise, resolve, reject } = Promise.withResolvers<ReadonlyMap<string, number>>();
      const answer = async (values: Record<string, number> = {}) => {
        resolve(new Map(Object.entries(values)));
        await settle();
      };
      lookups.push({ keys, answer, fail: () => reject(new Error('away')) });
      return promise;
    },
    freshMs: 1000,
    ageingMs: 500,
    entriesMax: 3,
    missingMax: 2,
    onAgeing: (key) => ageing.push(key),
    ...options,
  });
}

const settle = () => new Promise<void>((resolve) => setImmediate(resolve));
const asked = () => lookups.map(({ keys }) => keys.join(' '));

/** Looks the keys up in one lookup, with these values. */
async function learn(cache: LookupCache<string, number>, values: Record<string, number>): Promise<void> {
  const learnt = Object.keys(values).map((key) => cache.lookUp(key));
  await settle();
  await lookups.at(-1)?.answer(values);
  await Promise.all(learnt);
}

describe('a value', () => {
  it('is remembered from the beginning of its lookup for as long as it is fresh', async () => {
    const cache = createCache();
    const value = cache.lookUp('a');
    await settle();
    vi.advanceTimersByTime(400);
    await lookups[0]?.answer({ a: 1 });
    expect(await value).toBe(1);
    vi.advanceTimersByTime(600);
    expect(cache.get('a')).toBe(1);
    vi.advanceTimersByTime(1);
    expect(cache.get('a')).toBeUndefined();
  });

  it('is told of once when it is ageing and asked for', async () => {
    const cache = createCache();
    await learn(cache, { a: 1, b: 2 });
    vi.advanceTimersByTime(500);
    expect([cache.get('a'), ageing]).toEqual([1, []]);
    vi.advanceTimersByTime(1);
    expect([cache.get('a'), cache.get('a'), ageing]).toEqual([1, 1, ['a']]);
    await learn(cache, { a: 3 });
    expect(cache.get('a')).toBe(3);
  });

  it('makes room when it was looked up longest ago', async () => {
    const cache = createCache();
    await learn(cache, { a: 1, b: 2, c: 3 });
    await learn(cache, { a: 4 });
    await learn(cache, { d: 5 });
    expect(['a', 'b', 'c', 'd'].map((key) => cache.get(key))).toEqual([4, undefined, 3, 5]);
  });
});

describe('a key without a value', () => {
  it('is remembered too, as many as may be, and pushes out no value', async () => {
    const cache = createCache();
    await learn(cache, { a: 1, b: 2, c: 3 });
    for (const key of ['x', 'y', 'z']) {
      const value = cache.lookUp(key);
      await settle();
      await lookups.at(-1)?.answer();
      expect(await value).toBeNull();
    }
    expect(['a', 'x', 'y', 'z'].map((key) => cache.get(key))).toEqual([1, undefined, null, null]);
    vi.advanceTimersByTime(1001);
    expect(cache.get('z')).toBeUndefined();
  });

  it('is not remembered where none may be', async () => {
    const cache = createCache({ missingMax: 0 });
    const value = cache.lookUp('x');
    await settle();
    await lookups[0]?.answer();
    expect([await value, cache.get('x')]).toEqual([null, undefined]);
  });
});

describe('lookups', () => {
  it('join: one at a time, each for all who asked since the last one began', async () => {
    const cache = createCache();
    const first = [cache.lookUp('a'), cache.lookUp('b'), cache.lookUp('a')];
    await settle();
    const second = [cache.lookUp('a'), cache.lookUp('c')];
    await settle();
    expect(asked()).toEqual(['a b']);
    await lookups[0]?.answer({ a: 1, b: 2 });
    expect(await Promise.all(first)).toEqual([1, 2, 1]);
    await lookups[1]?.answer({ a: 3, c: 4 });
    expect(await Promise.all(second)).toEqual([3, 4]);
    expect(asked()).toEqual(['a b', 'a c']);
  });

  it('hold so many keys at most, and refuse what is beyond what may wait', async () => {
    const cache = createCache();
    const waiting = Array.from({ length: 10_000 }, (_, i) => cache.lookUp(`${i}`));
    expect(await codeOf(cache.lookUp('beyond'))).toBe('overloaded');
    for (let i = 0; i < 20; i += 1) {
      await settle();
      expect(lookups[i]?.keys).toHaveLength(500);
      await lookups[i]?.answer();
    }
    expect(new Set(await Promise.all(waiting))).toEqual(new Set([null]));
  });

  it('that fail are told to those who asked, and the next one is made', async () => {
    const cache = createCache();
    const first = codeOf(cache.lookUp('a'));
    await settle();
    const second = cache.lookUp('a');
    lookups[0]?.fail();
    await expect(first).rejects.toThrow('away');
    await settle();
    await lookups[1]?.answer({ a: 1 });
    expect(await second).toBe(1);
  });

  it('take along ageing keys that were asked for again, and learn what has gone', async () => {
    const cache = createCache({ entriesMax: 10 });
    await learn(cache, { a: 1, b: 2, c: 3 });
    vi.advanceTimersByTime(400);
    await learn(cache, { young: 4 });
    for (const key of ['a', 'b', 'young']) cache.get(key);
    vi.advanceTimersByTime(200);
    await learn(cache, { d: 5, a: 6 });
    expect(asked().at(-1)).toBe('d a b');
    expect([cache.get('a'), cache.get('b'), cache.get('c')]).toEqual([6, null, 3]);
  });

  it.each(['forget', 'forgetAll'] as const)('do not bring back what was forgotten meanwhile: %s', async (how) => {
    const cache = createCache();
    const value = cache.lookUp('a');
    await settle();
    cache[how]('a');
    await lookups[0]?.answer({ a: 1 });
    expect([await value, cache.get('a')]).toEqual([1, undefined]);
    await learn(cache, { a: 2 });
    expect(cache.get('a')).toBe(2);
  });

  it('are waited for by who drains', async () => {
    const cache = createCache();
    let drained = false;
    const value = cache.lookUp('a');
    void cache.drained().then(() => {
      drained = true;
    });
    await settle();
    expect(drained).toBe(false);
    await lookups[0]?.answer({ a: 1 });
    expect([await value, drained]).toEqual([1, true]);
  });
});
