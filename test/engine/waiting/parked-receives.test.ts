// How many receives may wait at the same time: of one key, and of everybody on one instance.

import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { codeOf, createQueue, type Queue, receiveRequest } from '../../support/calls.ts';
import { createTestDatabase, type TestDatabase } from '../../support/database.ts';
import { createTestEngine, type TestEngine, type TestEngineOptions } from '../../support/engine.ts';
import { makeKey } from '../../support/keys.ts';

let database: TestDatabase;
const engines: TestEngine[] = [];
beforeAll(async () => {
  database = await createTestDatabase();
});
afterAll(async () => {
  await Promise.all(engines.map((engine) => engine.stop()));
  await database.drop();
});

const startEngine = async (fairUse: TestEngineOptions['fairUse']) => {
  const engine = await createTestEngine(database, { fairUse });
  engines.push(engine);
  return engine;
};
/** Receives that wait, and what ends them. */
const park = (queue: Queue, count: number, keyId: string | null) => {
  const client = new AbortController();
  const answers = Array.from({ length: count }, () => queue.receive({ waitSeconds: 30, keyId, signal: client.signal }));
  return { answers, leave: () => client.abort() };
};

describe('receives of one key', () => {
  it('are refused beyond the bound of a key, while other keys and the admin wait', async () => {
    const engine = await startEngine({ keyParkedReceives: 2 });
    const [key, other] = [await makeKey(engine), await makeKey(engine)];
    const [queue, second] = [await createQueue(engine), await createQueue(engine)];
    const parked = park(queue, 2, key.keyId);
    // Whatever subscription it is for.
    expect(await codeOf(second.receive({ waitSeconds: 1, keyId: key.keyId }))).toBe('too_many_receives');
    const others = [park(queue, 2, other.keyId), park(queue, 5, null)];
    for (const { leave } of [parked, ...others]) leave();
    await Promise.all([parked, ...others].flatMap(({ answers }) => answers));
    expect(await queue.receive({ waitSeconds: 1, keyId: key.keyId })).toEqual([]);
  });

  it('that do not wait are not counted among them', async () => {
    const engine = await startEngine({ keyParkedReceives: 1 });
    const key = await makeKey(engine);
    const queue = await createQueue(engine);
    const { answers, leave } = park(queue, 1, key.keyId);
    expect(await queue.receive({ keyId: key.keyId })).toEqual([]);
    leave();
    await Promise.all(answers);
  });

  it('are refused before anything is acknowledged or leased', async () => {
    const engine = await startEngine({ keyParkedReceives: 1 });
    const key = await makeKey(engine);
    const queue = await createQueue(engine);
    await queue.publish('a', 'b');
    const [first] = await queue.receive({ maxMessages: 1 });
    const { answers, leave } = park(await createQueue(engine), 1, key.keyId);
    const acknowledge = [{ receipt: first?.receipt ?? '', reference: null }];
    const request = { ...receiveRequest(queue.name), waitSeconds: 1, keyId: key.keyId, acknowledge };
    expect(await codeOf(engine.receive(request))).toBe('too_many_receives');
    const { stats } = await engine.getSubscription(queue.name);
    expect(stats).toMatchObject({ backlog: 1, inFlight: 1 });
    leave();
    await Promise.all(answers);
  });

  it('free their place when they are answered, and when they fail', async () => {
    const engine = await startEngine({ keyParkedReceives: 1 });
    const key = await makeKey(engine);
    const queue = await createQueue(engine);
    for (let i = 0; i < 3; i += 1) {
      await queue.publish('a');
      expect(await queue.receive({ waitSeconds: 30, keyId: key.keyId })).toHaveLength(1);
      const nowhere = { ...receiveRequest('nowhere'), waitSeconds: 30, keyId: key.keyId };
      expect(await codeOf(engine.receive(nowhere))).toBe('subscription_not_found');
    }
  });
});

describe('receives of everybody', () => {
  it('are refused beyond the bound of the instance, whoever asks, waiting or not', async () => {
    const engine = await startEngine({ parkedReceives: 3 });
    const key = await makeKey(engine);
    const queue = await createQueue(engine);
    const parked = [park(queue, 2, key.keyId), park(queue, 1, null)];
    expect(await codeOf(queue.receive({ waitSeconds: 1, keyId: key.keyId }))).toBe('overloaded');
    expect(await codeOf(queue.receive({ waitSeconds: 1 }))).toBe('overloaded');
    expect(await codeOf(queue.receive())).toBe('overloaded');
    for (const { leave } of parked) leave();
    await Promise.all(parked.flatMap(({ answers }) => answers));
    expect(await queue.receive()).toEqual([]);
  });
});
