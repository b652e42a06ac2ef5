// Names to numbers: what is remembered may be stale, and a verb that finds it gone looks once more.

import { afterAll, afterEach, beforeAll, beforeEach, expect, it, vi } from 'vitest';
import { Directory } from '../../src/engine/directory.ts';
import type { Store } from '../../src/store/index.ts';
import { CALLER, codeOf, freshName } from '../support/calls.ts';
import { openStoreBench, type StoreBench, type TestEngine } from '../support/store.ts';

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
    return topicId === topic.topicId ? 'done' : null;
  });
  expect(done).toBe('done');
  expect(seen).toEqual([old.topicId, topic.topicId]);
});

it('gives up when the second look is gone too, or finds nothing', async () => {
  let tries = 0;
  const refuse = async () => {
    tries += 1;
    return null;
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
  const rest = [name, other, name, other, name].map((each) => directory.topic(each));
  const missing = codeOf(directory.topic('missing'));
  expect((await Promise.all([first, ...rest])).map((topic) => topic.name)).toEqual([
    ...[name, name, other, name, other, name],
  ]);
  expect(await missing).toBe('topic_not_found');
  expect(lookups).toEqual([`topic ${name}`, `topic ${name} ${other} missing`]);
});
