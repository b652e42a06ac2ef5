// When the database is back, thousands who wait want to look at once. How many statements that
// takes does not depend on how many wait, and they come one after the other.

import { afterAll, beforeAll, expect, it } from 'vitest';
import { WillcallError } from '../../../src/domain/errors.ts';
import type { Store } from '../../../src/store/index.ts';
import { CALLER, freshName, newMessage, receiveRequest } from '../../support/calls.ts';
import { openStoreBench, type StoreBench } from '../../support/store.ts';

const SUBSCRIPTIONS = 300;
const RECEIVES_EACH = 10;
/** As many as one statement looks for. */
const GROUPS_MAX = 200;

let bench: StoreBench;
beforeAll(async () => {
  bench = await openStoreBench();
});
afterAll(() => bench.stop());

/** The real store, whose database is away at a word, and every look for messages counted. */
function createView(store: Store) {
  const resumes = new Set<() => void>();
  const view = { isAway: false, looks: [] as number[], atOnce: 0, atOnceMax: 0, lookedFor: new Set<bigint>(), resumes };
  const receive: Store['deliveries']['receive'] = async (groups, ...rest) => {
    view.looks.push(groups.length);
    view.atOnce += 1;
    view.atOnceMax = Math.max(view.atOnceMax, view.atOnce);
    const outcomes = await store.deliveries.receive(groups, ...rest);
    view.atOnce -= 1;
    for (const { nonce } of groups.flatMap(({ waiters }) => waiters)) view.lookedFor.add(nonce);
    return outcomes;
  };
  const health: Store['health'] = {
    isAvailable: () => !view.isAway,
    availableOr: (resume) => {
      if (view.isAway) resumes.add(resume);
      return !view.isAway;
    },
    refuse: () => new WillcallError('database_unavailable', 'away'),
  };
  // Whoever comes looks, so that all have been looked for.
  const wakeups = { ...store.wakeups, isListening: () => false };
  return { view, store: { ...store, health, wakeups, deliveries: { ...store.deliveries, receive } } };
}

it('thousands of parked receives look in a few statements, one at a time, and miss nothing', async () => {
  const { view, store } = createView(bench.store);
  const engine = bench.openEngine(store);
  await engine.start();
  const topic = freshName('topic');
  await engine.createTopic({ name: topic, settings: {}, caller: CALLER });
  const names = Array.from({ length: SUBSCRIPTIONS }, () => freshName());
  for (const name of names) await engine.createSubscription({ name, topic, settings: {}, caller: CALLER });
  const answers = names.flatMap((name) =>
    Array.from({ length: RECEIVES_EACH }, () => engine.receive({ ...receiveRequest(name), waitSeconds: 30 })),
  );
  await expect.poll(() => view.lookedFor.size).toBe(answers.length);
  await expect.poll(() => view.atOnce).toBe(0);

  // Everybody is woken while the database is away, and nobody looks.
  view.isAway = true;
  const before = view.looks.length;
  await bench.rows(`select pg_terminate_backend(pid) from pg_stat_activity
    where datname = current_database() and application_name = 'willcall wakeup'`);
  await expect.poll(() => view.resumes.size).toBe(SUBSCRIPTIONS);
  expect(view.looks.length).toBe(before);

  view.isAway = false;
  view.atOnceMax = 0;
  view.lookedFor.clear();
  for (const resume of view.resumes) resume();
  await expect.poll(() => view.lookedFor.size).toBe(answers.length);
  expect(view.looks.slice(before)).toEqual([GROUPS_MAX, SUBSCRIPTIONS - GROUPS_MAX]);
  expect(view.atOnceMax).toBe(1);

  await engine.publish({ topic, messages: [newMessage('a')], caller: CALLER });
  const first = names.map((_, i) => Promise.race(answers.slice(i * RECEIVES_EACH, (i + 1) * RECEIVES_EACH)));
  for (const { messages } of await Promise.all(first)) expect(messages).toHaveLength(1);
  await engine.stop();
  const all = await Promise.all(answers);
  expect(all.reduce((sum, { messages }) => sum + messages.length, 0)).toBe(SUBSCRIPTIONS);
});
