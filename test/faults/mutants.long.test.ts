// The checker on trial: on each database one function is sabotaged, clients play a plan against two
// engines on it, and the recorded history must break a rule that the sabotage is about. The same
// play on the good functions breaks none, or the trial would prove nothing.

import { afterAll, describe, expect, it } from 'vitest';
import { createTestDatabase, type TestDatabase } from '../support/database.ts';
import { createTestEngine } from '../support/engine.ts';
import { createRecorder } from '../support/history.ts';
import { checkHistory, rules } from '../support/history-check.ts';
import { drawPlan, playPlan } from '../support/history-clients.ts';
import { stageOf } from '../support/history-engines.ts';
import { readRows } from '../support/history-rows.ts';
import { applyMutant, type Mutant, mutants } from './mutants.ts';

const SEED = 20260101;
/** A mistake that needs luck to show gets a few plays. */
const PLAYS_MAX = 24;
const size = {
  ...{ topics: 1, subscriptions: 2, publishers: 4, publishesEach: 6, consumersEach: 3, roundsEach: 24 },
};
const subscriptions = [
  { name: 'ledger', settings: { maxAttempts: 3, maxDeliveries: 6, minBackoffSeconds: 0 } },
  { name: 'alarm', settings: { maxAttempts: 3, minBackoffSeconds: 1 } },
];

const databases: TestDatabase[] = [];
afterAll(() => Promise.all(databases.map((database) => database.drop())));

/** What was broken, by the names of rules; 'calls fail' when callers were told of faults. */
async function play(database: TestDatabase, seed: number, sweepPauseMs = 0): Promise<Set<string>> {
  const engines = [await createTestEngine(database), await createTestEngine(database)] as const;
  const topic = `topic-${seed}`;
  const names = subscriptions.map(({ name }) => `${name}-${seed}`);
  const { topic: made } = await engines[0].createTopic({ name: topic, settings: {}, caller: 'operator' });
  for (const { name, settings } of subscriptions) {
    const common = { visibilityTimeoutSeconds: 1, maxBackoffSeconds: 1 };
    const whole = { name: `${name}-${seed}`, topic, settings: { ...common, ...settings }, caller: 'operator' };
    await engines[0].createSubscription(whole);
  }
  const recorder = createRecorder();
  const stage = { ...stageOf(recorder, engines), topics: [topic], subscriptions: names };
  let sweptAt = Number.NEGATIVE_INFINITY;
  // Upkeep fails on some mutants, and nothing is ever left on others.
  const patient = {
    ...stage,
    sweep: async () => {
      if (performance.now() - sweptAt < sweepPauseMs) return;
      sweptAt = performance.now();
      await stage.sweep?.().catch(() => {});
    },
    countLeft: async () => 0,
  };
  await playPlan(drawPlan(seed, size), patient);
  // What they warned of is seen in the history.
  for (const engine of engines) await engine.stop().catch(() => {});
  const history = { calls: recorder.calls, rows: await readRows(database, [made.topicId]) };
  const failed = recorder.calls.some(({ error }) => error !== null);
  return new Set([...checkHistory(history).map(({ rule }) => rule), ...(failed ? ['calls fail'] : [])]);
}

async function findOut({ caughtBy, ...mutant }: Mutant): Promise<Set<string>> {
  const database = await createTestDatabase();
  databases.push(database);
  await applyMutant(database.url, { caughtBy, ...mutant });
  const broken = new Set<string>();
  for (let played = 0; played < PLAYS_MAX && !caughtBy.some((rule) => broken.has(rule)); played += 1) {
    for (const rule of await play(database, SEED + played, mutant.sweepPauseMs)) broken.add(rule);
  }
  return broken;
}

describe('a recorded run', () => {
  it('of the functions as they are breaks no rule', async () => {
    const database = await createTestDatabase();
    databases.push(database);
    expect([...(await play(database, SEED))]).toEqual([]);
  });

  it.concurrent.each(mutants)('finds out that $name', async (mutant) => {
    const broken = await findOut(mutant);
    expect(mutant.caughtBy.filter((rule) => broken.has(rule))).not.toEqual([]);
  });

  it('is asked for rules that there are', () => {
    const named = mutants.flatMap(({ caughtBy }) => caughtBy);
    expect(named.filter((rule) => rule !== 'calls fail' && !rules.includes(rule))).toEqual([]);
  });
});
