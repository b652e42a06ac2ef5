// The directory: what is cached may be stale, and a verb that finds it gone looks up the name once
// more.

import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest';
import type { Subscription } from '../../../src/domain/subscription.ts';
import { Directory } from '../../../src/engine/lookups/directory.ts';
import type { Store } from '../../../src/store/index.ts';
import { CALLER, codeOf, freshName } from '../../support/calls.ts';
import { openStoreBench, type StoreBench, type TestEngine } from '../../support/store.ts';

let bench: StoreBench;
let engine: TestEngine;
let directory: Directory;
let lookups: string[];
let name: string;

beforeAll(async () => {
  bench = await openStoreBench();
  engine = bench.openEngine();
});
afterAll(() => bench.stop());

beforeEach(async () => {
  vi.useFakeTimers({ toFake: ['performance'] });
  lookups = [];
  name = freshName();
  directory = new Directory(countLookups(bench.store));
  await engine.createSubscription({ name, settings: {}, caller: CALLER });
});
afterEach(() => vi.useRealTimers());

function countLookups(store: Store): Store {
  return {
    ...store,
    topics: {
      ...store.topics,
      findAll: (names) => {
        lookups.push(`topic ${names.join(' ')}`);
        return store.topics.findAll(names);
      },
    },
    subscriptions: {
      ...store.subscriptions,
      findAll: (names) => {
        lookups.push(`subscription ${names.join(' ')}`);
        return store.subscriptions.findAll(names);
      },
    },
  };
}

it('asks the database once a minute', async () => {
  const first = await directory.topic(name);
  vi.advanceTimersByTime(59_900);
  expect(await directory.topic(name)).toBe(first);
  vi.advanceTimersByTime(200);
  expect(await directory.topic(name)).toEqual(first);
  expect(lookups).toEqual([`topic ${name}`, `topic ${name}`]);
});

it('does not remember that a name was missing', async () => {
  const later = freshName();
  expect(await codeOf(directory.topic(later))).toBe('topic_not_found');
  expect(await codeOf(directory.subscription(later))).toBe('subscription_not_found');
  await engine.createSubscription({ name: later, settings: {}, caller: CALLER });
  expect((await directory.topic(later)).name).toBe(later);
  expect((await directory.subscription(later)).name).toBe(later);
});

it('does work once with what it remembers when that is good', async () => {
  const done = await directory.withSubscription(name, async (subscription) => subscription.subscriptionId);
  expect(done).toBe((await directory.subscription(name)).subscriptionId);
  expect(lookups).toEqual([`subscription ${name}`]);
});

it('does work once more with what the name means now, when the work says gone', async () => {
  const old = await directory.topic(name);
  await engine.deleteTopic(name, CALLER);
  const { topic } = await engine.createTopic({ name, settings: {}, caller: CALLER });
  const seen: number[] = [];
  const done = await directory.withTopic(name, async ({ topicId }) => {
    seen.push(topicId);
    return topicId === topic.topicId ? 'done' : 'gone';
  });
  expect(done).toBe('done');
  expect(seen).toEqual([old.topicId, topic.topicId]);
});

it('gives up when the second look is gone too, or finds nothing', async () => {
  let tries = 0;
  const refuse = async () => {
    tries += 1;
    return 'gone' as const;
  };
  expect(await codeOf(directory.withTopic(name, refuse))).toBe('topic_not_found');
  expect(await codeOf(directory.withSubscription(name, refuse))).toBe('subscription_not_found');
  expect(tries).toBe(4);
  await engine.deleteTopic(name, CALLER);
  expect(await codeOf(directory.withTopic(name, refuse))).toBe('topic_not_found');
  expect(tries).toBe(5);
});

it('forgets a name, or all of them, when told', async () => {
  await directory.topic(name);
  await directory.subscription(name);
  directory.forget(name);
  await directory.topic(name);
  await directory.subscription(name);
  directory.forgetAll();
  await directory.topic(name);
  await directory.subscription(name);
  expect(lookups).toHaveLength(6);
});

it('looks up in one statement what is asked for while another one is on its way, each name once', async () => {
  const other = freshName();
  await engine.createTopic({ name: other, settings: {}, caller: CALLER });
  const first = directory.topic(name);
  while (lookups.length === 0) await null;
  const rest = [name, other, name, other, name].map((each) => directory.topic(each));
  const missing = codeOf(directory.topic('missing'));
  expect((await Promise.all([first, ...rest])).map((topic) => topic.name)).toEqual([
    ...[name, name, other, name, other, name],
  ]);
  expect(await missing).toBe('topic_not_found');
  expect(lookups).toEqual([`topic ${name}`, `topic ${name} ${other} missing`]);
});

describe('a look-up', () => {
  let others: string[];

  /**
   * Three names that were looked up ten seconds apart, and asked for again half a minute after the
   * first was.
   */
  async function useAll(wanted: readonly string[]): Promise<void> {
    for (const each of [name, ...others]) {
      await directory.subscription(each);
      vi.advanceTimersByTime(10_000);
    }
    for (const each of wanted) await directory.subscription(each);
    vi.advanceTimersByTime(30_100);
    lookups = [];
  }

  beforeEach(async () => {
    others = [freshName(), freshName()];
    for (const other of others) await engine.createSubscription({ name: other, settings: {}, caller: CALLER });
  });

  it('takes along what is ageing and was asked for again, which is then good for another minute', async () => {
    await useAll([name, ...others]);
    await directory.subscription(name);
    vi.advanceTimersByTime(59_000);
    for (const other of others) await directory.subscription(other);
    expect(lookups).toEqual([`subscription ${[name, ...others].join(' ')}`]);
  });

  it('does not take along what nobody asked for again, nor what was looked up lately', async () => {
    await useAll([name]);
    await directory.subscription(name);
    expect(lookups).toEqual([`subscription ${name}`]);
    await directory.subscription(name);
    expect(await codeOf(directory.subscription('missing'))).toBe('subscription_not_found');
    expect(lookups.at(-1)).toBe('subscription missing');
  });

  it('finds out that what it took along is gone', async () => {
    await useAll([name, ...others]);
    await engine.deleteSubscription(others[0] ?? '', CALLER);
    await directory.subscription(name);
    expect(await codeOf(directory.subscription(others[0] ?? ''))).toBe('subscription_not_found');
  });

  it('does not remember what it took along, when that was forgotten meanwhile', async () => {
    await useAll([name, ...others]);
    const [other = ''] = others;
    const looking = directory.subscription(name);
    await vi.waitFor(() => expect(lookups).toHaveLength(1));
    directory.forget(other);
    await looking;
    lookups = [];
    await directory.subscription(other);
    expect(lookups).toEqual([`subscription ${other}`]);
  });

  it('takes along no more than a statement may ask for', async () => {
    const many = Array.from({ length: 1200 }, (_, i) => `many-${i}`);
    const find = async (names: readonly string[]) => {
      lookups.push(`${names.length}`);
      return names.map((each) => ({ name: each }) as Subscription);
    };
    directory = new Directory({ ...bench.store, subscriptions: { ...bench.store.subscriptions, findAll: find } });
    const askAll = async () => {
      for (const each of many) await directory.subscription(each);
    };
    await askAll();
    vi.advanceTimersByTime(45_000);
    await askAll();
    vi.advanceTimersByTime(20_000);
    lookups = [];
    await askAll();
    expect(lookups).toEqual(['500', '500', '200']);
  });
});
