// Many publishers and consumers on few subscriptions, over two instances on one database, doing
// everything that clients do, right and wrong. What they saw and what the database holds is then
// judged (test/support/history-check.ts). A failure names its seed; the plan comes back by it,
// though the machine may deal out other interleavings.

import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createTestDatabase, type TestDatabase } from '../support/database.ts';
import { createTestEngine, type TestEngine } from '../support/engine.ts';
import { type Call, createRecorder } from '../support/history.ts';
import { checkHistory } from '../support/history-check.ts';
import { drawPlan, playPlan } from '../support/history-clients.ts';
import { stageOf } from '../support/history-engines.ts';
import { readRows } from '../support/history-rows.ts';

const SHOWN_MAX = 20;
/** A few seconds where nobody else is busy. */
const topics = ['orders', 'events'];
const subscriptions = [
  { name: 'ledger', topic: 'orders', settings: { maxAttempts: 3, maxDeliveries: 6, minBackoffSeconds: 0 } },
  { name: 'archive', topic: 'orders', settings: { maxAttempts: 4, minBackoffSeconds: 0, maxInFlight: 12 } },
  { name: 'alarm', topic: 'events', settings: { maxAttempts: 2, minBackoffSeconds: 1 } },
];
const size = {
  ...{ topics: topics.length, subscriptions: subscriptions.length },
  ...{ publishers: 6, publishesEach: 12, consumersEach: 3, roundsEach: 24 },
};

/** Those that are always played, and one that nobody has seen. */
const seeds = [20260101, 20260202, 20260303, Date.now() % 2 ** 31];

let database: TestDatabase;
let engines: TestEngine[];
const seen = new Map<string, number>();

beforeAll(async () => {
  database = await createTestDatabase();
  engines = [await createTestEngine(database), await createTestEngine(database)];
});
afterAll(async () => {
  for (const engine of engines) await engine.stop();
  await database.drop();
});

/** Topics and subscriptions of one history's own. */
async function createSubjects(prefix: string) {
  const [engine] = engines as [TestEngine, TestEngine];
  const common = { visibilityTimeoutSeconds: 1, maxBackoffSeconds: 1 };
  const named = (name: string) => `${prefix}-${name}`;
  const topicIds: number[] = [];
  for (const name of topics) {
    const { topic } = await engine.createTopic({ name: named(name), settings: {}, caller: 'operator' });
    topicIds.push(topic.topicId);
  }
  for (const { name, topic, settings } of subscriptions) {
    const names = { name: named(name), topic: named(topic) };
    await engine.createSubscription({ ...names, settings: { ...common, ...settings }, caller: 'operator' });
  }
  return { topicIds, topics: topics.map(named), subscriptions: subscriptions.map(({ name }) => named(name)) };
}

describe('many clients on few subscriptions over two instances', () => {
  it.each(seeds)('keep every promise (seed %i)', async (seed) => {
    const recorder = createRecorder();
    const { topicIds, ...subjects } = await createSubjects(`seed-${seed}`);
    await playPlan(drawPlan(seed, size), { ...stageOf(recorder, engines), ...subjects });
    const { calls } = recorder;
    count(calls);
    expect(calls.filter((call) => call.error !== null).slice(0, SHOWN_MAX)).toEqual([]);
    const history = { calls, rows: await readRows(database, topicIds) };
    expect(checkHistory(history, { drained: true }).slice(0, SHOWN_MAX)).toEqual([]);
  });

  // What depends on the clock of a busy machine is left to concurrency-model.test.ts, which meets
  // every outcome.
  it('have met what the histories are about', () => {
    const outcomes = ['acknowledged', 'already_acknowledged', 'released', 'already_released', 'superseded', 'extended'];
    const others = ['rejected', 'already_rejected', 'invalid_receipt'];
    expect([...outcomes, ...others].filter((outcome) => !seen.has(outcome))).toEqual([]);
  });
});

function count(calls: readonly Call[]): void {
  for (const call of calls) {
    seen.set(call.verb, (seen.get(call.verb) ?? 0) + 1);
    if (call.verb === 'publish' || call.verb === 'receive') continue;
    for (const { outcome } of call.answer ?? []) seen.set(outcome, (seen.get(outcome) ?? 0) + 1);
  }
}
